/*
 * What a child finds in its environment: our own user, the session's facts,
 * and of an operator's wishes only those on the list. The port is a fake.
 */
#include "core/environ.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "fake/port_user.h"

static struct environ e;
static const struct msg_strings nothing;

static int setup(void **state)
{
    (void)state;
    own_path = "/bin:/opt/bin";
    own_lang = NULL;
    memset(&e, 0xee, sizeof(e));
    return 0;
}

static size_t count_of(const char *pair)
{
    size_t n = 0;
    for (size_t i = 0; i < e.count; i++)
        n += strcmp(e.list[i], pair) == 0;
    return n;
}

static bool names(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < e.count; i++)
        if (strncmp(e.list[i], name, len) == 0 && e.list[i][len] == '=')
            return true;
    return false;
}

static int build(const struct environ_facts *f, const struct msg_strings *asked)
{
    int err = environ_build(&e, f, asked);
    if (err == OK)
        assert_null(e.list[e.count]);
    return err;
}

static int build_asked(const char **asked, size_t count)
{
    static const struct environ_facts facts = {.term = "xterm"};
    struct msg_strings s = {.list = asked, .count = count};
    return build(&facts, &s);
}

static void the_user_is_ours(void **state)
{
    static const struct environ_facts none;
    (void)state;
    assert_int_equal(build(&none, &nothing), OK);
    assert_int_equal(count_of("HOME=/home/ada"), 1);
    assert_int_equal(count_of("USER=ada"), 1);
    assert_int_equal(count_of("LOGNAME=ada"), 1);
    assert_int_equal(count_of("SHELL=/bin/fish"), 1);
    assert_int_equal(count_of("PATH=/bin:/opt/bin"), 1);
    assert_int_equal(e.count, 5); /* and nothing else of the agent's own */
}

static void a_path_is_always_there(void **state)
{
    static const struct environ_facts none;
    (void)state;
    own_path = NULL;
    assert_int_equal(build(&none, &nothing), OK);
    assert_int_equal(count_of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                              "/usr/bin:/sbin:/bin"),
                     1);
}

static void the_session_tells_its_facts(void **state)
{
    static const struct environ_facts facts = {
        .term = "screen", .session = "abc", .machine = "web-1", .who = "eve"};
    static const struct environ_facts empty = {.term = "", .who = ""};
    (void)state;
    assert_int_equal(build(&facts, &nothing), OK);
    assert_int_equal(count_of("TERM=screen"), 1);
    assert_int_equal(count_of("CMDOP_SESSION=abc"), 1);
    assert_int_equal(count_of("CMDOP_MACHINE=web-1"), 1);
    assert_int_equal(count_of("CMDOP_OPERATOR=eve"), 1);
    assert_int_equal(build(&empty, &nothing), OK);
    assert_false(names("TERM"));
    assert_false(names("CMDOP_OPERATOR"));
}

static void only_names_on_the_list_are_taken(void **state)
{
    static const char *asked[] = {
        "LANG=de_DE.UTF-8",
        "LC_ALL=C",
        "TZ=UTC",
        "COLORTERM=truecolor",
        "TERM_PROGRAM=me",
        "PATH=/evil",
        "LD_PRELOAD=/evil.so",
        "HOME=/",
        "LANGUAGE=x",
        "LC_",
        "TZ",
        "=x",
        "",
        "BASH_ENV=x",
        "CMDOP_OPERATOR=root",
        "LC_NAME=a=b",
    };
    (void)state;
    assert_int_equal(build_asked(asked, sizeof(asked) / sizeof(asked[0])), OK);
    assert_int_equal(count_of("LANG=de_DE.UTF-8"), 1);
    assert_int_equal(count_of("LC_ALL=C"), 1);
    assert_int_equal(count_of("LC_NAME=a=b"), 1);
    assert_int_equal(count_of("TZ=UTC"), 1);
    assert_int_equal(count_of("COLORTERM=truecolor"), 1);
    assert_int_equal(count_of("TERM_PROGRAM=me"), 1);
    assert_int_equal(e.count, 5 + 1 + 6);
    assert_int_equal(count_of("PATH=/bin:/opt/bin"), 1);
    assert_int_equal(count_of("HOME=/home/ada"), 1);
}

static void the_language_is_his_or_else_ours(void **state)
{
    static const char *asked[] = {"TZ=UTC"};
    static const struct environ_facts none;
    (void)state;
    own_lang = "C.UTF-8";
    assert_int_equal(build(&none, &nothing), OK);
    assert_int_equal(count_of("LANG=C.UTF-8"), 1);
    assert_int_equal(build_asked(asked, 1), OK);
    assert_false(names("LANG"));
}

static void too_much_is_refused(void **state)
{
    static char big[ARGS_MAX];
    const char *one[] = {big};
    const char *many[ENV_COUNT_MAX + 16];
    (void)state;
    memcpy(big, "LC_X=", 5);
    memset(big + 5, 'x', sizeof(big) - 6);
    assert_int_equal(build_asked(one, 1), ERR_TOO_BIG);
    for (size_t i = 0; i < ENV_COUNT_MAX + 16; i++)
        many[i] = "LC_A=1";
    assert_int_equal(build_asked(many, ENV_COUNT_MAX), OK);
    assert_int_equal(build_asked(many, ENV_COUNT_MAX + 16), ERR_TOO_BIG);
}

static void a_name_that_is_too_long_is_dropped(void **state)
{
    static const char *asked[] = {
        "LC_A_NAME_THAT_IS_MUCH_TOO_LONG_FOR_ANY_USE=1", "LC_B=2"};
    (void)state;
    assert_int_equal(build_asked(asked, 2), OK);
    assert_int_equal(count_of("LC_B=2"), 1);
    assert_int_equal(e.count, 5 + 1 + 1);
}

static void a_terminal_name_is_plain(void **state)
{
    static const struct {
        const char *term;
        bool ok;
    } table[] = {
        {"xterm", true},
        {"xterm-256color", true},
        {"rxvt+pcre.2_x", true},
        {"12345678901234567890123456789012", true},
        {"123456789012345678901234567890123", false},
        {"", false},
        {"a b", false},
        {"../etc", false},
        {"x;y", false},
        {"x\033[", false},
        {"\xc3\xa4", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(environ_term_ok(table[i].term), table[i].ok);
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(the_user_is_ours),
        FACT(a_path_is_always_there),
        FACT(the_session_tells_its_facts),
        FACT(only_names_on_the_list_are_taken),
        FACT(the_language_is_his_or_else_ours),
        FACT(too_much_is_refused),
        FACT(a_name_that_is_too_long_is_dropped),
        FACT(a_terminal_name_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
