/*
 * A relay's folder on a disk that may be damaged. The first byte chooses a
 * file (the relay's seed, CA key, server key, server certificate, address),
 * the rest is what is in it; the others are good. A relay never becomes
 * another one: what it loads is what was there, and what is damaged stays as
 * it is and has a sentence.
 */
#include "relay/keys.h"

#include <string.h>

#include "core/joinstr.h"
#include "fake/port_addr.h"
#include "fake/port_keep.h"
#include "relay/backup.h"
#include "relay/place.h"

#define FOLDER "/srv"
#define NOW    1800000000

/* Who acts here: nobody in these files. */
const char *port_username(void)
{
    return "ada";
}

/* No restore was interrupted in these folders. */
int backup_settle(const char *folder, struct text *why)
{
    (void)folder;
    (void)why;
    return OK;
}

static struct fake_file good[8];
static size_t good_count;

static void make_good(void)
{
    static struct keys k;
    char buf[1024];
    struct text why;
    TEXT_OF(&why, buf);
    fake_reset_files();
    bool made;
    assert(keys_load_or_make(FOLDER, &k, &why) == OK && k.made);
    assert(keys_server(FOLDER, "relay.test", NULL, NOW, &made, &why) == OK);
    assert(made && fake.count == 5);
    fake_put(FOLDER "/address", view_str("relay.test:50051"));
    memcpy(good, fake.file, sizeof good);
    good_count = fake.count;
}

/* Every file but `name` is as it was made, and the certificate, if it had to
 * be made for another key. */
static void check_others(const char *name, bool made)
{
    assert(fake.count == good_count);
    for (size_t i = 0; i < good_count; i++)
        if (strcmp(good[i].path, name) != 0 &&
            !(made && strcmp(good[i].path, FOLDER "/server.pem") == 0))
            assert(memcmp(&good[i], &fake.file[i], sizeof good[i]) == 0);
}

static int load(struct keys *k, bool *made)
{
    char buf[1024];
    struct text why;
    TEXT_OF(&why, buf);
    *made = false;
    int err = keys_load_or_make(FOLDER, k, &why);
    if (err == OK)
        err = keys_server(FOLDER, "relay.test", NULL, NOW, made, &why);
    assert((err == OK) == (why.len == 0) && !why.cut);
    assert(err == OK || err == ERR_DAMAGED || err == ERR_TOO_BIG);
    assert(!k->made);
    return err;
}

static void address(void)
{
    static const struct place place = {.folder = FOLDER};
    char host[256], buf[1024];
    uint16_t port = 0;
    struct text why;
    TEXT_OF(&why, buf);
    int err = place_load_address(&place, host, &port, &why);
    assert((err == OK) == (why.len == 0) && !why.cut);
    if (err == OK)
        assert(port > 0 && joinstr_host_ok(view_str(host)) &&
               fake_find(FOLDER "/address")->len > strlen(host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        FOLDER "/relay.key", FOLDER "/ca.key", FOLDER "/server.key",
        FOLDER "/server.pem", FOLDER "/address"};
    static struct keys k;
    if (size < 1 || size > FAKE_FILE_BYTES)
        return 0;
    if (good_count == 0)
        make_good();
    const char *name = names[data[0] % 5];
    struct view in = view_of(data + 1, size - 1);
    memcpy(fake.file, good, sizeof good);
    fake.count = good_count;
    fake_put(name, in);
    bool made;
    int err = load(&k, &made);
    check_others(name, made);
    assert(made ||
           view_eq(view_of(fake_find(name)->data, fake_find(name)->len), in));
    if (data[0] % 5 == 0)
        assert((err == OK) == (in.len == 32));
    if (err == OK && data[0] % 5 == 0)
        assert(memcmp(k.relay.secret, in.ptr, 32) == 0);
    address();
    return 0;
}
