/*
 * Join strings and addresses from anywhere. What is accepted prints as it
 * was; what is refused has a sentence, which never tells the key.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "core/joinstr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECRET_MIN = 20 }; /* shorter words may well stand in a sentence */

static void check_sentence(const struct text *why, struct view in)
{
    ptrdiff_t at = view_find(in, '#');
    struct view key = view_from(in, at < 0 ? in.len : (size_t)at + 1);
    if (why->len == 0 || why->cut)
        abort();
    if (key.len >= SECRET_MIN &&
        memmem(why->buf, why->len, key.ptr, key.len) != NULL)
        abort();
}

static void address(struct view in)
{
    char host[256], sentence[512], printed[JOINSTR_CAP];
    uint16_t port = 0;
    struct text why, out;

    TEXT_OF(&why, sentence);
    TEXT_OF(&out, printed);
    if (joinstr_address(in, host, &port, &why) != OK) {
        check_sentence(&why, in);
        return;
    }
    bool ipv6 = strchr(host, ':') != NULL;
    text_join(&out, ipv6 ? "[" : "", host, ipv6 ? "]:" : ":", NULL);
    text_u64(&out, port);
    if (port == 0 || why.len != 0 || !joinstr_host_ok(view_str(host)) ||
        !view_eq(text_done(&out), in))
        abort();
}

/* A server and a key apart: what is taken says the same as a whole string. */
static void apart(struct view in)
{
    char sentence[512], whole[JOINSTR_CAP + 64];
    struct joinstr j, again;
    struct text why, out;
    bool has_pin = false;
    ptrdiff_t at = view_find(in, '#');
    struct view server = at < 0 ? in : view_first(in, (size_t)at);
    struct view key = view_from(in, at < 0 ? in.len : (size_t)at + 1);

    TEXT_OF(&why, sentence);
    if (joinstr_parse_apart(server, key, &j, &has_pin, &why) != OK) {
        check_sentence(&why, in);
        return;
    }
    TEXT_OF(&out, whole);
    if (why.len != 0 || !joinstr_is_key(key))
        abort();
    if (!has_pin)
        return;
    if (joinstr_print(&j, &out) != OK ||
        joinstr_parse(text_done(&out), &again, &why) != OK ||
        memcmp(&j, &again, sizeof j) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char sentence[512], printed[JOINSTR_CAP];
    struct joinstr j;
    struct text why, out;
    struct view in = view_of(data, size);

    address(in);
    apart(in);
    TEXT_OF(&why, sentence);
    TEXT_OF(&out, printed);
    if (joinstr_parse(in, &j, &why) != OK) {
        check_sentence(&why, in);
        return 0;
    }
    if (why.len != 0 || joinstr_print(&j, &out) != OK ||
        !view_eq(text_done(&out), in))
        abort();
    if (!joinstr_host_ok(view_str(j.host)) || j.port == 0 ||
        !joinstr_key_ok(view_str(j.key)))
        abort();
    return 0;
}
