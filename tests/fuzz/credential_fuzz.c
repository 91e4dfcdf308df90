/*
 * A credential file that anybody wrote. What is loaded is within its bounds,
 * and saved again it is loaded the same; what is not has a sentence, and
 * leaves nothing behind. A sentence never tells a token.
 */
#include "core/credential.h"

#include <string.h>

#include "core/joinstr.h"
#include "fake/port_keep.h"

#define PATH "/config/credentials.json"

static struct credentials first, second;

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
    check_text(s->token, sizeof s->token);
    assert(s->name[0] != '\0' && strchr(s->token, ' ') == NULL);
    assert(joinstr_address(view_str(s->address), host, &port, &why) == OK);
    assert(credential_find(&first, s->name) == s); /* none stands twice */
}

/* What is saved loads, and saved once more it is the same text. */
static void check_again(void)
{
    static struct fake_file saved;
    char buf[1024];
    struct text why;
    TEXT_OF(&why, buf);
    assert(credential_save("/config", &first, &why) == OK);
    saved = *fake_find(PATH);
    assert(credential_load("/config", &second, &why) == OK && why.len == 0);
    assert(second.count == first.count);
    for (size_t i = 0; i < first.count; i++)
        assert(memcmp(second.server[i].pin, first.server[i].pin,
                      CREDENTIAL_PIN_LEN) == 0 &&
               strcmp(second.server[i].token, first.server[i].token) == 0);
    assert(credential_save("/config", &second, &why) == OK);
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
    if (size > FAKE_FILE_BYTES)
        return 0;
    TEXT_OF(&why, buf);
    fake_reset_files();
    fake_put(PATH, view_of(data, size));
    memset(&first, 0x5A, sizeof first);
    int err = credential_load("/config", &first, &why);
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
