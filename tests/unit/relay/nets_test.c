/* Who is inside a list of networks. */
#include "relay/nets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"

static const struct {
    const char *list, *from;
    bool in;
} table[] = {
    {"", "192.0.2.1", true},
    {"   ", "2001:db8::1", true},
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/8", "2001:db8::1", false},
    {"10.1.2.3/8", "10.9.9.9", true}, /* its host part does not matter */
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.8", false},
    {"192.0.2.7/32", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.8", false},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "::1", true},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"10.0.0.0/8, 2001:db8::/32, 192.0.2.7", "192.0.2.7", true},
    {"10.0.0.0/8,2001:db8::/32", "2001:db8::9", true},
    {" 10.0.0.0/8 , 192.0.2.7 ", "192.0.2.7", true},
    {"10.0.0.0/8, 2001:db8::/32", "192.0.2.7", false},
};

static void who_is_inside_is_admitted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct port_addr from;
        assert_int_equal(port_addr_parse(table[i].from, 9, &from), OK);
        if (nets_admit(view_str(table[i].list), &from) != table[i].in)
            fail_msg("%s in \"%s\"", table[i].from, table[i].list);
        assert_int_equal(nets_check(view_str(table[i].list)), OK);
    }
}

/* A mistake does not open the door, not even for those listed before it. */
static void what_does_not_parse_admits_nobody(void **state)
{
    static const char *const lists[] = {
        "10.0.0.0/33", "10.0.0.0/",           "/8",
        "10.0.0/8",    "10.0.0.0/8,",         ",10.0.0.0/8",
        ",",           "10.0.0.0/8 10.1.1.1", "10.0.0.0/-1",
        "10.0.0.0/+8", "10.0.0.0/8 x",        "::/129",
        "fe80::1%lo",  "everywhere",          "10.0.0.0//8",
        "10.0.0.0/ 8", "10.0.0.0/8,,",        "1.2.3.4:80",
        "[::1]",       "10.0.0.0/08x",
    };
    struct port_addr from;
    (void)state;
    assert_int_equal(port_addr_parse("10.0.0.1", 9, &from), OK);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (nets_admit(view_str(lists[i]), &from) ||
            nets_check(view_str(lists[i])) != ERR_RANGE)
            fail_msg("\"%s\"", lists[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_inside_is_admitted),
        cmocka_unit_test(what_does_not_parse_admits_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
