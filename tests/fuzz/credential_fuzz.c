/*
 * A credential file that anybody wrote, of either version. No input finds the
 * key of a seal, so a list of version 2, which begins with {"servers", is
 * sealed here first. What is loaded is within its bounds, and saved again it
 * is loaded the same; what is not has a sentence, and leaves nothing behind.
 */
#include "core/credential.h"

#include <string.h>

#include "codec/base64.h"
#include "core/joinstr.h"
#include "crypto/seal.h"
#include "fake/keyring.h"
#include "fake/port_keep.h"

#define PATH "/config/credentials.json"
#define KEY  "/state/credentials.key"

static const struct paths folders = {.config = "/config", .state = "/state"};
static const uint8_t key[SEAL_KEY_LEN] = {7};
static struct credentials first, second;

/* The file around a list, as core/credential writes it. */
static void put_sealed(struct view list)
{
    static uint8_t box[FAKE_FILE_BYTES], file[FAKE_FILE_BYTES];
    struct span rest = {box + SEAL_NONCE_LEN, sizeof box - SEAL_NONCE_LEN};
    struct writer w;
    int n =
        seal_close(key, box, view_str("cmdop credentials 2 file"), list, rest);
    assert(n > 0);
    writer_init(&w, SPAN_ARRAY(file));
    write_str(&w, "{\"version\":2,\"key\":\"file\",\"box\":\"");
    base64_write(&w, BASE64_URL, view_of(box, SEAL_NONCE_LEN + (size_t)n));
    write_str(&w, "\"}");
    if (w.err == OK)
        fake_put(PATH, writer_view(&w));
}

static void check_text(const char *text, size_t cap)
{
    assert(memchr(text, 0, cap) != NULL);
    for (const char *c = text; *c != '\0'; c++)
        assert((uint8_t)*c >= ' ' && *c != 0x7F);
}

static void check_server(const struct credential *s)
{
    char host[256], buf[256];
    uint16_t port;
    struct text why;
    TEXT_OF(&why, buf);
    check_text(s->name, sizeof s->name);
    check_text(s->user, sizeof s->user);
    check_text(s->email, sizeof s->email);
    check_text(s->fleet, sizeof s->fleet);
    check_text(s->user_id, sizeof s->user_id);
    check_text(s->fleet_id, sizeof s->fleet_id);
    check_text(s->token, sizeof s->token);
    check_text(s->refresh, sizeof s->refresh);
    assert(s->token_expires_ms >= 0 && s->refresh_expires_ms >= 0);
    assert(s->name[0] != '\0' && strchr(s->token, ' ') == NULL);
    assert(joinstr_address(view_str(s->address), host, &port, &why) == OK);
    assert(credential_find(&first, s->name) == s); /* none stands twice */
}

/* What is saved loads, and is not written again; no token is in the clear. */
static void check_again(void)
{
    static struct fake_file saved;
    char buf[1024];
    struct text why;
    TEXT_OF(&why, buf);
    assert(credential_save(&folders, &first, &why) == OK);
    saved = *fake_find(PATH);
    assert(credential_load(&folders, &second, &why) == OK && why.len == 0);
    assert(second.count == first.count);
    assert(strcmp(second.current, first.current) == 0);
    for (size_t i = 0; i < first.count; i++)
        assert(memcmp(&second.server[i].pin, &first.server[i].pin,
                      CREDENTIAL_PIN_LEN) == 0 &&
               strcmp(second.server[i].token, first.server[i].token) == 0 &&
               strcmp(second.server[i].refresh, first.server[i].refresh) == 0 &&
               strcmp(second.server[i].email, first.server[i].email) == 0);
    assert(credential_save(&folders, &second, &why) == OK);
    assert(saved.len == fake_find(PATH)->len);
    assert(memcmp(saved.data, fake_find(PATH)->data, saved.len) == 0);
}

static void check_list(void)
{
    struct credential s;
    assert(first.count <= CREDENTIAL_SERVERS_MAX);
    for (size_t i = 0; i < first.count; i++)
        check_server(&first.server[i]);
    assert((credential_current(&first) != NULL) == (first.current[0] != '\0'));
    check_again();
    while (first.count > 0) {
        s = first.server[0];
        assert(credential_upsert(&first, &s) == OK);
        assert(credential_use(&first, s.name) == OK);
        assert(credential_remove(&first, s.name) == OK);
        assert(credential_current(&first) == NULL);
        check_again();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char buf[1024];
    struct text why;
    if (size > FAKE_FILE_BYTES / 2)
        return 0;
    TEXT_OF(&why, buf);
    fake_reset_files();
    fake_ring.len = 0;
    fake_put(KEY, VIEW_ARRAY(key));
    if (view_starts(view_of(data, size), view_str("{\"servers\"")))
        put_sealed(view_of(data, size));
    else
        fake_put(PATH, view_of(data, size));
    memset(&first, 0x5A, sizeof first);
    int err = credential_load(&folders, &first, &why);
    assert((err == OK) == (why.len == 0) && !why.cut);
    if (err == OK) {
        check_list();
        return 0;
    }
    assert(err == ERR_DAMAGED || err == ERR_UNSUPPORTED);
    for (size_t i = 0; i < sizeof first; i++)
        assert(((const uint8_t *)&first)[i] == 0x5A);
    return 0;
}
