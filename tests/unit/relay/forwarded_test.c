/* Who stands behind a proxy. */
#include "relay/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define TRUSTED "127.0.0.1/32,10.0.0.0/8,2001:db8:1::/48"

static struct port_addr addr(const char *text, uint16_t port)
{
    struct port_addr a;
    assert_int_equal(port_addr_parse(text, port, &a), OK);
    return a;
}

static bool same(const struct port_addr *a, const struct port_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port;
}

/* ---- an entry ------------------------------------------------------------------ */

static void an_entry_is_an_address_with_or_without_a_port(void **state)
{
    static const struct {
        const char *entry, *ip;
        uint16_t port;
    } table[] = {
        {"192.0.2.7", "192.0.2.7", 0},
        {" \t192.0.2.7\t ", "192.0.2.7", 0},
        {"192.0.2.7:80", "192.0.2.7", 80},
        {"192.0.2.7:65535", "192.0.2.7", 65535},
        {"2001:db8::7", "2001:db8::7", 0},
        {"[2001:db8::7]", "2001:db8::7", 0},
        {"[2001:db8::7]:443", "2001:db8::7", 443},
        {"2001:0DB8:0:0:0:0:0:7", "2001:db8::7", 0},
        {"::1:80", "::1:80", 0}, /* no port: that is in brackets */
        {"::ffff:192.0.2.7", "192.0.2.7", 0},
        {"[::ffff:192.0.2.7]:80", "192.0.2.7", 80},
        {"::ffff:c000:207", "192.0.2.7", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct port_addr got, want = addr(table[i].ip, table[i].port);
        if (forwarded_entry(view_str(table[i].entry), &got) != OK ||
            !same(&got, &want))
            fail_msg("\"%s\"", table[i].entry);
    }
}

static void anything_else_is_none(void **state)
{
    static const char *const table[] = {
        "",
        " ",
        "unknown",
        "_hidden",
        "localhost",
        "192.0.2",
        "192.0.2.7.1",
        "192.0.2.256",
        "192.0.2.7:",
        "192.0.2.7:65536",
        "192.0.2.7:8x",
        "192.0.2.7 :80",
        "192.0.2.7:-1",
        ":80",
        "192.0.2.7/32",
        "[192.0.2.7]",
        "[192.0.2.7]:80",
        "[2001:db8::7",
        "2001:db8::7]",
        "[2001:db8::7]80",
        "[2001:db8::7]:",
        "[2001:db8::7] :80",
        "[[2001:db8::7]]",
        "[]",
        "[]:80",
        "fe80::1%lo",
        "[fe80::1%1]",
        "1:2:3:4:5:6:7:8:9",
        "\"192.0.2.7\"",
        "for=192.0.2.7",
        "192.0.2.7;10.0.0.1",
        "192.0.2.7 10.0.0.1",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa",
    };
    struct port_addr got;
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (forwarded_entry(view_str(table[i]), &got) != ERR_RANGE)
            fail_msg("\"%s\"", table[i]);
    assert_int_equal(forwarded_entry(view_of("192.0.2.7\0x", 11), &got),
                     ERR_RANGE);
}

/* ---- the header ---------------------------------------------------------------- */

#define LINES 3

static const struct {
    const char *peer, *lines[LINES], *caller;
} headers[] = {
    /* nobody says anything */
    {"10.0.0.1", {NULL}, "10.0.0.1"},
    {"203.0.113.7", {NULL}, "203.0.113.7"},
    /* who is no proxy of ours is not believed, whatever he says */
    {"203.0.113.7", {"198.51.100.9"}, "203.0.113.7"},
    {"203.0.113.7", {"10.0.0.1"}, "203.0.113.7"},
    {"11.0.0.1", {"198.51.100.9, 10.0.0.1"}, "11.0.0.1"},
    {"127.0.0.2", {"198.51.100.9"}, "127.0.0.2"},
    /* what the proxy added counts, and nothing before it */
    {"10.0.0.1", {"198.51.100.9"}, "198.51.100.9"},
    {"127.0.0.1", {"198.51.100.9"}, "198.51.100.9"},
    {"::ffff:10.0.0.1", {"198.51.100.9"}, "198.51.100.9"},
    {"2001:db8:1::5", {"2001:db8:2::9"}, "2001:db8:2::9"},
    {"10.0.0.1", {"192.0.2.1, 198.51.100.9"}, "198.51.100.9"},
    {"10.0.0.1", {"10.9.9.9, 198.51.100.9"}, "198.51.100.9"},
    {"10.0.0.1", {"127.0.0.1,198.51.100.9"}, "198.51.100.9"},
    {"10.0.0.1", {"nonsense, , 198.51.100.9"}, "198.51.100.9"},
    /* a proxy behind a proxy */
    {"10.0.0.1", {"192.0.2.1, 198.51.100.9, 10.0.0.2"}, "198.51.100.9"},
    {"10.0.0.1", {"198.51.100.9, 10.0.0.2, 127.0.0.1"}, "198.51.100.9"},
    {"10.0.0.1", {"198.51.100.9, [2001:db8:1::8]:4"}, "198.51.100.9"},
    {"10.0.0.1", {"198.51.100.9, ::ffff:10.0.0.2"}, "198.51.100.9"},
    /* they all are: the first of them called */
    {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
    {"127.0.0.1", {"127.0.0.1"}, "127.0.0.1"},
    /* several lines are one list */
    {"10.0.0.1", {"192.0.2.1", "198.51.100.9"}, "198.51.100.9"},
    {"10.0.0.1", {"192.0.2.1, 198.51.100.9", "10.0.0.2"}, "198.51.100.9"},
    {"10.0.0.1", {"198.51.100.9", "10.0.0.3", "10.0.0.2"}, "198.51.100.9"},
    /* what is no address ends it, at who was believed last */
    {"10.0.0.1", {"unknown"}, "10.0.0.1"},
    {"10.0.0.1", {""}, "10.0.0.1"},
    {"10.0.0.1", {","}, "10.0.0.1"},
    {"10.0.0.1", {"198.51.100.9, unknown"}, "10.0.0.1"},
    {"10.0.0.1", {"198.51.100.9,"}, "10.0.0.1"},
    {"10.0.0.1", {"198.51.100.9", ""}, "10.0.0.1"},
    {"10.0.0.1", {"198.51.100.9, unknown, 10.0.0.2"}, "10.0.0.2"},
    {"10.0.0.1", {"198.51.100.9, , 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
    {"10.0.0.1", {"198.51.100.9", "unix:", "10.0.0.2"}, "10.0.0.2"},
};

static void the_caller_is_whom_our_proxies_saw(void **state)
{
    struct proxies trusted;
    (void)state;
    assert_int_equal(proxies_read(view_str(TRUSTED), &trusted), OK);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct port_addr peer = addr(headers[i].peer, 9);
        struct port_addr want = addr(headers[i].caller, 0);
        struct forwarded f;
        forwarded_begin(&f, &trusted, &peer);
        for (size_t k = 0; k < LINES && headers[i].lines[k] != NULL; k++)
            forwarded_line(&f, view_str(headers[i].lines[k]));
        if (memcmp(f.caller.ip, want.ip, sizeof(want.ip)) != 0 ||
            f.found != (f.caller.port != 9))
            fail_msg("row %zu: %s", i, headers[i].peer);
    }
}

static void where_nobody_is_trusted_no_header_is_believed(void **state)
{
    const struct proxies none = {.count = 0};
    struct forwarded f;
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct port_addr peer = addr(headers[i].peer, 9);
        forwarded_begin(&f, &none, &peer);
        for (size_t k = 0; k < LINES && headers[i].lines[k] != NULL; k++)
            forwarded_line(&f, view_str(headers[i].lines[k]));
        assert_true(same(&f.caller, &peer));
        assert_false(f.found);
    }
}

static void another_request_begins_anew(void **state)
{
    struct proxies trusted;
    struct port_addr peer = addr("10.0.0.1", 9);
    struct forwarded f;
    (void)state;
    assert_int_equal(proxies_read(view_str(TRUSTED), &trusted), OK);
    forwarded_begin(&f, &trusted, &peer);
    forwarded_line(&f, view_str("198.51.100.9"));
    forwarded_begin(&f, &trusted, &peer);
    assert_true(same(&f.caller, &peer));
    forwarded_line(&f, view_str("10.0.0.2"));
    assert_memory_equal(f.caller.ip, addr("10.0.0.2", 0).ip, 16);
}

/* Longer than any header that comes through (HTTP_HEAD_MAX): its end counts. */
static void a_header_may_be_as_long_as_it_likes(void **state)
{
    static const char unit[] = "10.0.0.2,", end[] = "198.51.100.9";
    struct proxies trusted;
    struct port_addr peer = addr("10.0.0.1", 9);
    struct forwarded f;
    size_t len = 1024 * 1024 / (sizeof(unit) - 1) * (sizeof(unit) - 1);
    char *text = malloc(len + sizeof(end));
    (void)state;
    assert_non_null(text);
    assert_int_equal(proxies_read(view_str(TRUSTED), &trusted), OK);
    for (size_t i = 0; i < len; i++)
        text[i] = unit[i % (sizeof(unit) - 1)];
    memcpy(text + len, end, sizeof(end));
    forwarded_begin(&f, &trusted, &peer);
    forwarded_line(&f, view_of(text, len + sizeof(end) - 1));
    assert_memory_equal(f.caller.ip, addr(end, 0).ip, 16);
    memset(text, '7', len);
    forwarded_begin(&f, &trusted, &peer);
    forwarded_line(&f, view_of(text, len));
    assert_true(same(&f.caller, &peer));
    free(text);
}

/* ---- who is believed ------------------------------------------------------------ */

static void a_list_has_networks_and_not_everybody(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        ",",
        "10.0.0.0/8,",
        ",10.0.0.0/8",
        "nginx",
        "10.0.0.0/33",
        "0.0.0.0/0",
        "10.0.0.0/7",
        "128.0.0.0/1",
        "10.0.0.0/8,0.0.0.0/0",
        "::/0",
        "2000::/3",
        "::/8", /* IPv4 is in there */
        "::ffff:0:0/96",
        "::ffff:0:0/103",
        "::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1",
    };
    static const char *const good[] = {
        "127.0.0.1",
        "127.0.0.1/32, ::1/128",
        "10.0.0.0/8",
        "fd00::/8",
        "::ffff:a00:0/104",
        "64:ff9b::/16",
        " 10.0.0.0/8 ,::1 ",
        "::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,"
        "::1,::1,::1,::1",
    };
    struct proxies p = {.count = 7};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (proxies_read(view_str(bad[i]), &p) != ERR_RANGE || p.count != 7)
            fail_msg("\"%s\"", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (proxies_read(view_str(good[i]), &p) != OK || p.count == 7)
            fail_msg("\"%s\"", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_an_address_with_or_without_a_port),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(the_caller_is_whom_our_proxies_saw),
        cmocka_unit_test(where_nobody_is_trusted_no_header_is_believed),
        cmocka_unit_test(another_request_begins_anew),
        cmocka_unit_test(a_header_may_be_as_long_as_it_likes),
        cmocka_unit_test(a_list_has_networks_and_not_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
