/* Numeric addresses as text, both ways (RFC 5952). */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void what_is_parsed_prints_in_its_short_form(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"1.2.3.4", "1.2.3.4:80"},
        {"255.255.255.255", "255.255.255.255:80"},
        {"0.0.0.0", "0.0.0.0:80"},
        {"::", "[::]:80"},
        {"::1", "[::1]:80"},
        {"1::", "[1::]:80"},
        {"::ffff:1.2.3.4", "1.2.3.4:80"},
        {"2001:DB8::0:1", "[2001:db8::1]:80"},
        {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80"},
        {"2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80"},
        {"1:0:0:2:3:0:0:4", "[1::2:3:0:0:4]:80"},
        {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
        {"1:2:3:4:5:6:0:0", "[1:2:3:4:5:6::]:80"},
        {"fe80::abcd%3", "[fe80::abcd%3]:80"},
    };
    char text[PORT_ADDR_CAP];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct port_addr a;
        assert_int_equal(port_addr_parse(rows[i].in, 80, &a), OK);
        port_addr_print(&a, text, sizeof(text));
        assert_string_equal(text, rows[i].out);
    }
}

static void the_longest_address_fits(void **state)
{
    struct port_addr a = {.port = 65535, .scope = UINT32_MAX};
    char text[PORT_ADDR_CAP];
    (void)state;
    memset(a.ip, 0xff, sizeof(a.ip));
    port_addr_print(&a, text, sizeof(text));
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                              "%4294967295]:65535");
}

static void a_short_buffer_is_cut_and_terminated(void **state)
{
    struct port_addr a;
    char text[5] = "xxxx";
    (void)state;
    assert_int_equal(port_addr_parse("1.2.3.4", 80, &a), OK);
    port_addr_print(&a, text, sizeof(text));
    assert_string_equal(text, "1.2.");
}

static void what_is_no_number_is_refused_and_writes_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.256",
        "1.2.3.4.5",
        " 1.2.3.4",
        "1.2.3.4 ",
        ":::",
        "1:2:3",
        "[::1]",
        "::1%nosuchinterface",
        "::1%",
        "12345::",
        "1.2.3.4%lo",
        "1:2:3:4:5:6:7:8:9",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    };
    struct port_addr a = {.port = 7};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(port_addr_parse(rows[i], 80, &a), ERR_RANGE);
        assert_int_equal(a.port, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parsed_prints_in_its_short_form),
        cmocka_unit_test(the_longest_address_fits),
        cmocka_unit_test(a_short_buffer_is_cut_and_terminated),
        cmocka_unit_test(what_is_no_number_is_refused_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
