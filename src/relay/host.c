/* Verbs on the relay's host; see host.h. */
#include "relay/host.h"

#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/relay.h"

#define BUSY_MS   5000
#define TOKEN_RAW 32

int host_open(struct host *h, const char *state_dir, struct text *why)
{
    char path[PATH_CAP];
    struct store_cfg cfg = {.path = path, .busy_ms = BUSY_MS};
    struct store_ask q = {.op = STORE_SETUP};
    struct store_answer a;
    int err = place_find(&h->place, state_dir, why);
    if (err == OK)
        err = keys_load_relay(h->place.folder, &h->relay, why);
    if (err == OK)
        err = paths_join(path, h->place.folder, "server.db");
    if (err != OK)
        return err;
    cfg.heap = port_memory(STORE_HEAP_BYTES);
    err = store_open(&h->store, &cfg);
    bytes_to_str(q.u.setup.fleet_name, NAME_CAP, view_str("home"));
    bytes_to_str(q.u.setup.user_name, NAME_CAP, view_str(port_username()));
    port_entropy(SPAN_ARRAY(q.u.setup.random));
    if (err == OK)
        err = relay_ask_now(&h->store, &q, &a);
    if (err != OK)
        text_str(why, store_why(&h->store));
    else
        h->owner = a.u.who;
    return err;
}

void host_close(struct host *h)
{
    store_close(&h->store);
}

static int complain(struct host *h, int err, struct text *why)
{
    if (err == ERR_RANGE)
        text_str(why, "a name has 1 to 63 printable bytes, not all of them "
                      "blanks, the beginning of an id four characters or "
                      "more");
    else if (err != OK)
        text_str(why, store_why(&h->store));
    return err;
}

int host_ask(struct host *h, const struct store_ask *q,
             struct store_answer *out, struct text *why)
{
    return complain(h, relay_ask_now(&h->store, q, out), why);
}

/* Rows are handed over with this as context, and so is the answer. */
struct listing {
    bool (*row)(void *ctx, const union store_row *row);
    void *ctx;
    bool came;
    int err;
};

static bool list_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct listing *l = ctx;
    (void)tag;
    return l->row(l->ctx, row);
}

static void list_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct listing *l = ctx;
    (void)tag;
    l->came = true;
    l->err = a->err;
}

int host_list(struct host *h, const struct store_ask *q,
              bool (*row)(void *ctx, const union store_row *row), void *ctx,
              struct text *why)
{
    struct listing l = {.row = row, .ctx = ctx};
    struct store_ask copy = *q;
    copy.ctx = &l;
    copy.row = list_row;
    copy.answer = list_answer;
    int err = store_ask(&h->store, &copy);
    while (err == OK && !l.came)
        (void)store_turn(&h->store, port_wall_ms());
    return complain(h, err != OK ? err : l.err, why);
}

int host_tell_relay(const struct host *h, struct text *why)
{
    char path[PATH_CAP];
    int pid = 0;
    int err = paths_join(path, h->place.folder, "server.lock");
    if (err != OK || port_keep_holder(path, &pid) != OK)
        return OK; /* it reads all of it when it starts */
    err = port_process_reload(pid);
    if (err != OK)
        text_join(why,
                  "it is done, but the relay that runs could not be told: ",
                  port_why(), "; it finds out within a minute", NULL);
    return err;
}

void host_secret(char token[CREDENTIAL_TOKEN_CAP], struct store_secret *out)
{
    uint8_t raw[TOKEN_RAW];
    struct writer w;
    port_entropy(SPAN_ARRAY(raw));
    memset(token, 0, CREDENTIAL_TOKEN_CAP);
    writer_init(&w, (struct span){(uint8_t *)token, CREDENTIAL_TOKEN_CAP - 1});
    write_str(&w, "cmdop_");
    base64_write(&w, BASE64_URL, VIEW_ARRAY(raw));
    ct_wipe(SPAN_ARRAY(raw));
    hash_once(view_str(token), out->hash);
    bytes_to_str(out->prefix, sizeof(out->prefix),
                 view_first(view_str(token), STORE_PREFIX_LEN));
    port_entropy(SPAN_ARRAY(out->random));
}
