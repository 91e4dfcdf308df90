/* The desktop's keyring, by a secret-tool of our own in PATH that keeps its
 * items in a folder: the secret goes by standard input, and each way of
 * failing has its sentence. */
#include "core/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "port/port.h"
#include "unit/port/scratch.h"

static char sentence[512];
static uint8_t got[43];

/* Items are files named by folder, with slashes as dots. What it was called
 * with goes to `args`. */
#define GOOD                                                           \
    "#!/bin/sh\n"                                                      \
    "echo \"$*\" >> \"$KEEP/args\"\n"                                  \
    "for last; do :; done\n"                                           \
    "item=$KEEP/item$(echo \"$last\" | tr / .)\n"                      \
    "case $1 in\n"                                                     \
    "store) cat > \"$item\" ;;\n"                                      \
    "lookup) [ -f \"$item\" ] && cat \"$item\" && echo || exit 1 ;;\n" \
    "clear) [ -f \"$item\" ] && rm \"$item\" || exit 1 ;;\n"           \
    "esac\n"

static void install(const char *script)
{
    char path[600];
    const char *at = scratch_path("secret-tool");
    assert_int_equal(port_keep_write(at, view_str(script)), OK);
    assert_int_equal(chmod(at, 0700), 0);
    strcpy(path, scratch_path(""));
    setenv("KEEP", path, 1);
    strcat(path, ":/usr/bin:/bin");
    setenv("PATH", path, 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", 1);
}

static int get(const char *folder)
{
    struct text why;
    TEXT_OF(&why, sentence);
    memset(got, 0, sizeof got);
    return keyring_get(folder, SPAN_ARRAY(got), &why);
}

static int put(const char *folder, const char *secret)
{
    struct text why;
    TEXT_OF(&why, sentence);
    return keyring_put(folder, view_str(secret), &why);
}

static void what_is_put_is_got(void **state)
{
    int before = scratch_handles();
    struct text why;
    (void)state;
    install(GOOD);
    assert_int_equal(get("/a"), ERR_NOT_FOUND);
    assert_string_equal(sentence, "");
    assert_int_equal(put("/a", "one"), OK);
    assert_int_equal(put("/b", "other"), OK);
    assert_int_equal(put("/a", "two"), OK);
    assert_int_equal(get("/a"), 3);
    assert_memory_equal(got, "two", 3);
    assert_int_equal(get("/b"), 5);
    TEXT_OF(&why, sentence);
    assert_int_equal(keyring_remove("/a", &why), OK);
    assert_int_equal(keyring_remove("/a", &why), OK);
    assert_int_equal(get("/a"), ERR_NOT_FOUND);
    assert_int_equal(scratch_handles(), before);
}

static void no_argument_tells_the_secret(void **state)
{
    static uint8_t args[4096];
    (void)state;
    install(GOOD);
    assert_int_equal(put("/c", "hush-hush"), OK);
    int n = port_keep_read(scratch_path("args"), false, SPAN_ARRAY(args));
    assert_true(n > 0);
    args[n] = 0;
    assert_non_null(strstr((char *)args, "service cmdop folder /c"));
    assert_null(strstr((char *)args, "hush"));
}

static void without_a_bus_there_is_no_keyring(void **state)
{
    (void)state;
    install(GOOD);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    assert_int_equal(get("/a"), ERR_UNSUPPORTED);
    assert_non_null(strstr(sentence, "no desktop keyring"));
    setenv("DBUS_SESSION_BUS_ADDRESS", "", 1);
    assert_int_equal(put("/a", "x"), ERR_UNSUPPORTED);
}

static void without_the_program_there_is_no_keyring(void **state)
{
    (void)state;
    install(GOOD);
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(get("/a"), ERR_UNSUPPORTED);
    assert_int_equal(put("/a", "x"), ERR_UNSUPPORTED);
}

static void its_refusal_is_told_in_its_words(void **state)
{
    (void)state;
    install("#!/bin/sh\ncat > /dev/null\n"
            "printf 'secret-tool: Cannot create an item in a \\033locked "
            "collection\\nmore\\n' >&2\nexit 1\n");
    assert_int_equal(get("/a"), ERR_IO);
    assert_string_equal(sentence,
                        "the desktop keyring refused: secret-tool: Cannot "
                        "create an item in a \\x1blocked collection");
    assert_int_equal(put("/a", "x"), ERR_IO);
    assert_non_null(strstr(sentence, "locked collection"));
}

static void an_answer_that_is_too_long_is_none_of_ours(void **state)
{
    (void)state;
    install("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\n");
    assert_int_equal(get("/a"), ERR_TOO_BIG);
    assert_int_equal(got[0], 'x');
}

/* It ends without reading what it is given, or closes its streams and lives. */
static void a_program_that_does_not_listen_is_no_harm(void **state)
{
    int before = scratch_handles();
    (void)state;
    install("#!/bin/sh\nexit 3\n");
    assert_int_equal(put("/a", "x"), ERR_IO);
    assert_string_equal(sentence, "the desktop keyring refused");
    install("#!/bin/sh\nexec <&- >&- 2>&-\nsleep 0.2\nexit 0\n");
    assert_int_equal(put("/a", "x"), OK);
    install("#!/bin/sh\nkill -9 $$\n");
    assert_int_equal(put("/a", "x"), ERR_IO);
    assert_int_equal(scratch_handles(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(no_argument_tells_the_secret),
        cmocka_unit_test(without_a_bus_there_is_no_keyring),
        cmocka_unit_test(without_the_program_there_is_no_keyring),
        cmocka_unit_test(its_refusal_is_told_in_its_words),
        cmocka_unit_test(an_answer_that_is_too_long_is_none_of_ours),
        cmocka_unit_test(a_program_that_does_not_listen_is_no_harm),
    };
    return cmocka_run_group_tests_name("core/keyring", tests, scratch_setup,
                                       scratch_teardown);
}
