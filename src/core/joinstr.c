/* Join strings; see joinstr.h. */
#include "core/joinstr.h"

#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "crypto/ct.h"

#define SCHEME     "cmdop://"
#define KEY_PREFIX "cmdop_enroll_"
#define AGAIN      "; copy the whole line that `cmdop server join-key` printed"

enum {
    PIN_TEXT_LEN = 43,
    KEY_TEXT_LEN = 32,
    KEY_LEN = sizeof KEY_PREFIX - 1 + KEY_TEXT_LEN,
    LABEL_MAX = 63,
    PORT_MAX = 65535,
};

_Static_assert(PIN_TEXT_LEN == (JOINSTR_PIN_LEN * 8 + 5) / 6, "base64url");
_Static_assert(KEY_TEXT_LEN == (JOINSTR_KEY_RAW_LEN * 8 + 5) / 6, "base64url");
_Static_assert(KEY_LEN < sizeof((struct joinstr *)0)->key, "KEY fits");
_Static_assert(JOINSTR_HOST_MAX < sizeof((struct joinstr *)0)->host,
               "HOST fits");

static int bad(struct text *why, const char *what)
{
    text_str(why, what);
    return ERR_RANGE;
}

/* ---- HOST --------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Take the part before `sep`, and `sep`; the last part ends the view. */
static struct view take_part(struct view *in, uint8_t sep)
{
    ptrdiff_t at = view_find(*in, sep);
    struct view part = at < 0 ? *in : view_first(*in, (size_t)at);

    *in = view_from(*in, at < 0 ? in->len : (size_t)at + 1);
    return part;
}

static bool all_digits(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!is_digit(v.ptr[i]))
            return false;
    return v.len > 0;
}

/* A decimal number in its only spelling. */
static bool number_ok(struct view v, uint64_t max, uint64_t *out)
{
    if (v.len > 1 && v.ptr[0] == '0')
        return false;
    return text_parse_u64(v, max, out) == OK;
}

static bool ipv4_ok(struct view v)
{
    uint64_t byte;
    size_t parts = 0;

    if (v.len == 0 || v.ptr[v.len - 1] == '.')
        return false;
    for (; v.len > 0; parts++)
        if (!number_ok(take_part(&v, '.'), 255, &byte))
            return false;
    return parts == 4;
}

/* Groups of a half of an IPv6 address (16 bits each), or -1. Only the last
 * half may end in an IPv4 address, which counts two. */
static int ipv6_groups(struct view v, bool last)
{
    int groups = 0;

    if (v.len > 0 && v.ptr[v.len - 1] == ':')
        return -1;
    while (v.len > 0) {
        struct view part = take_part(&v, ':');
        if (last && v.len == 0 && view_find(part, '.') >= 0)
            return ipv4_ok(part) ? groups + 2 : -1;
        if (part.len < 1 || part.len > 4)
            return -1;
        for (size_t i = 0; i < part.len; i++)
            if (!is_hex(part.ptr[i]))
                return -1;
        groups++;
    }
    return groups;
}

/* Where "::" stands, or -1. */
static ptrdiff_t find_gap(struct view v)
{
    for (size_t i = 1; i < v.len; i++)
        if (v.ptr[i - 1] == ':' && v.ptr[i] == ':')
            return (ptrdiff_t)i - 1;
    return -1;
}

static bool ipv6_ok(struct view v)
{
    ptrdiff_t gap = find_gap(v);

    if (gap < 0)
        return ipv6_groups(v, true) == 8;
    int left = ipv6_groups(view_first(v, (size_t)gap), false);
    int right = ipv6_groups(view_from(v, (size_t)gap + 2), true);
    return left >= 0 && right >= 0 && left + right <= 7;
}

static bool label_ok(struct view v)
{
    if (v.len < 1 || v.len > LABEL_MAX)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        bool inner = i > 0 && i + 1 < v.len;
        if (!is_letter(v.ptr[i]) && !is_digit(v.ptr[i]) &&
            !(inner && (v.ptr[i] == '-' || v.ptr[i] == '_')))
            return false;
    }
    return true;
}

/* A name; one whose last label is a number is an IPv4 address or nothing. */
static bool name_ok(struct view v)
{
    struct view rest = v, label = VIEW_NONE;

    if (v.len < 1 || v.len > JOINSTR_HOST_MAX || v.ptr[v.len - 1] == '.')
        return false;
    while (rest.len > 0) {
        label = take_part(&rest, '.');
        if (!label_ok(label))
            return false;
    }
    return !all_digits(label) || ipv4_ok(v);
}

bool joinstr_host_ok(struct view host)
{
    return view_find(host, ':') >= 0 ? ipv6_ok(host) : name_ok(host);
}

/* ---- HOST:PORT ---------------------------------------------------------- */

/* Split off HOST; what is left begins with ':'. */
static int take_host(struct view *in, struct view *host, struct text *why)
{
    if (in->len > 0 && in->ptr[0] == '[') {
        ptrdiff_t end = view_find(*in, ']');
        if (end < 0)
            return bad(why, "the ']' after the IPv6 address is missing");
        *host = view_first(view_from(*in, 1), (size_t)end - 1);
        *in = view_from(*in, (size_t)end + 1);
        return ipv6_ok(*host) ? OK : bad(why, "in [ ] stands no IPv6 address");
    }
    ptrdiff_t colon = view_find(*in, ':');
    *host = colon < 0 ? *in : view_first(*in, (size_t)colon);
    *in = view_from(*in, host->len);
    if (view_find(view_from(*in, 1), ':') >= 0)
        return bad(why, "an IPv6 address must stand in [ ]");
    if (host->len == 0)
        return bad(why, "the host is missing");
    return name_ok(*host) ? OK
                          : bad(why, "the host is neither a name nor an "
                                     "address");
}

int joinstr_address(struct view in, char host[256], uint16_t *port,
                    struct text *why)
{
    struct view name;
    uint64_t n;

    if (take_host(&in, &name, why) != OK)
        return ERR_RANGE;
    if (in.len == 0)
        return bad(why, "the port is missing; write HOST:PORT");
    if (in.ptr[0] != ':')
        return bad(why, "after the IPv6 address must stand ':' and a port");
    in = view_from(in, 1);
    if (in.len == 0)
        return bad(why, "the port is missing; write HOST:PORT");
    if (!all_digits(in))
        return bad(why, "the port is not a number");
    if (!number_ok(in, PORT_MAX, &n) || n == 0)
        return bad(why, "the port is out of range; it is 1 to 65535 without "
                        "leading zeros");
    bytes_to_str(host, 256, name);
    *port = (uint16_t)n;
    return OK;
}

/* ---- the whole ---------------------------------------------------------- */

static int parse_pin(struct view in, uint8_t pin[JOINSTR_PIN_LEN],
                     struct text *why)
{
    if (in.len == 0)
        return bad(why, "the pin of the relay's key is missing" AGAIN);
    if (in.len < PIN_TEXT_LEN)
        return bad(why, "the pin is too short: 43 characters between '/' and "
                        "'#'" AGAIN);
    if (in.len > PIN_TEXT_LEN)
        return bad(why, "the pin is too long: 43 characters between '/' and "
                        "'#'" AGAIN);
    if (base64_decode(BASE64_URL, in, (struct span){pin, JOINSTR_PIN_LEN}) !=
        JOINSTR_PIN_LEN)
        return bad(why, "the pin is damaged: it is not base64url" AGAIN);
    return OK;
}

static int parse_key(struct view in, struct text *why)
{
    struct view prefix = view_str(KEY_PREFIX);

    if (in.len == 0)
        return bad(why, "the join key is missing" AGAIN);
    if (!view_starts(in, view_first(prefix, in.len)))
        return bad(why, "the join key does not begin with " KEY_PREFIX AGAIN);
    if (in.len < KEY_LEN)
        return bad(why, "the join key is cut off at its end" AGAIN);
    if (in.len > KEY_LEN)
        return bad(why, "the join key is too long" AGAIN);
    if (!joinstr_key_ok(in))
        return bad(why, "the join key is damaged: it is not base64url" AGAIN);
    return OK;
}

/* Faults of copying, which would be told in a confusing way further on. */
static int check_letters(struct view in, struct text *why)
{
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == ' ' || (in.ptr[i] >= '\t' && in.ptr[i] <= '\r'))
            return bad(why, "the join string has white space in it" AGAIN);
        if (in.ptr[i] < 0x21 || in.ptr[i] > 0x7E)
            return bad(why,
                       "the join string has a foreign character in it" AGAIN);
    }
    return OK;
}

static int check_whole(struct view in, struct text *why)
{
    if (in.len == 0)
        return bad(why, "the join string is empty" AGAIN);
    if (check_letters(in, why) != OK)
        return ERR_RANGE;
    if (!view_starts(in, view_str(SCHEME)))
        return bad(why, "the join string does not begin with " SCHEME AGAIN);
    return OK;
}

int joinstr_parse(struct view in, struct joinstr *out, struct text *why)
{
    struct joinstr j = {0};

    if (check_whole(in, why) != OK)
        return ERR_RANGE;
    in = view_from(in, sizeof SCHEME - 1);
    bool has_key = view_find(in, '#') >= 0;
    struct view front = take_part(&in, '#');
    bool has_pin = view_find(front, '/') >= 0;
    struct view address = take_part(&front, '/');

    if (joinstr_address(address, j.host, &j.port, why) != OK)
        return ERR_RANGE;
    if (!has_pin)
        return bad(why, "the pin of the relay's key is missing" AGAIN);
    /* Cut inside the pin: tell that, not that the key is missing. */
    if (!has_key && front.len >= PIN_TEXT_LEN)
        return bad(why, "the join key is missing" AGAIN);
    if (parse_pin(front, j.pin, why) != OK || parse_key(in, why) != OK)
        return ERR_RANGE;
    *out = j;
    bytes_to_str(out->key, sizeof(out->key), in);
    return OK;
}

bool joinstr_is_key(struct view in)
{
    return view_starts(in, view_str(KEY_PREFIX));
}

static bool find_scheme(struct view in)
{
    ptrdiff_t colon = view_find(in, ':');
    return colon >= 0 &&
           view_starts(view_from(in, (size_t)colon), view_str("://"));
}

int joinstr_parse_apart(struct view server, struct view key,
                        struct joinstr *out, bool *has_pin, struct text *why)
{
    struct joinstr j = {0};

    if (check_letters(server, why) != OK || check_letters(key, why) != OK)
        return ERR_RANGE;
    if (view_starts(server, view_str(SCHEME)))
        server = view_from(server, sizeof SCHEME - 1);
    else if (find_scheme(server))
        return bad(why, "the server's address does not begin with " SCHEME);
    if (view_find(server, '#') >= 0)
        return bad(why, "the server's address has a '#' in it; what stands "
                        "behind it belongs to the join key");
    bool pinned = view_find(server, '/') >= 0;
    struct view address = take_part(&server, '/');

    if (joinstr_address(address, j.host, &j.port, why) != OK ||
        (pinned && parse_pin(server, j.pin, why) != OK) ||
        parse_key(key, why) != OK)
        return ERR_RANGE;
    *out = j;
    bytes_to_str(out->key, sizeof(out->key), key);
    *has_pin = pinned;
    return OK;
}

int joinstr_print(const struct joinstr *j, struct text *out)
{
    uint8_t digits[PIN_TEXT_LEN];
    struct writer w;
    bool ipv6 = strchr(j->host, ':') != NULL;

    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_URL, VIEW_ARRAY(j->pin));
    text_join(out, SCHEME, ipv6 ? "[" : "", j->host, ipv6 ? "]:" : ":", NULL);
    text_u64(out, j->port);
    text_char(out, '/');
    text_view(out, writer_view(&w));
    text_join(out, "#", j->key, NULL);
    return out->cut ? ERR_FULL : OK;
}

void joinstr_key(const uint8_t raw[JOINSTR_KEY_RAW_LEN], char out[96])
{
    uint8_t digits[KEY_TEXT_LEN];
    struct writer w;
    struct text t;

    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_URL, view_of(raw, JOINSTR_KEY_RAW_LEN));
    text_init(&t, out, 96);
    text_str(&t, KEY_PREFIX);
    text_view(&t, writer_view(&w));
    ct_wipe(SPAN_ARRAY(digits));
}

bool joinstr_key_ok(struct view key)
{
    uint8_t raw[JOINSTR_KEY_RAW_LEN];

    if (key.len != KEY_LEN || !view_starts(key, view_str(KEY_PREFIX)))
        return false;
    int n = base64_decode(BASE64_URL, view_from(key, sizeof KEY_PREFIX - 1),
                          SPAN_ARRAY(raw));
    ct_wipe(SPAN_ARRAY(raw));
    return n == JOINSTR_KEY_RAW_LEN;
}
