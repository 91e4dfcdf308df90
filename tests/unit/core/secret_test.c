/* A password that is typed, and one from a file or a variable. */
#include "core/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

static struct secret s;

static enum secret_event feed(const char *keys, size_t *left)
{
    struct view in = view_str(keys);
    enum secret_event event = secret_feed(&s, &in);
    *left = in.len;
    return event;
}

static void typed(const char *keys, enum secret_event event, const char *word)
{
    size_t left;
    memset(&s, 0, sizeof(s));
    assert_int_equal(feed(keys, &left), event);
    assert_true(view_is(secret_view(&s), word));
}

static void a_line_ends_at_enter(void **state)
{
    size_t left;
    (void)state;
    typed("secret", SECRET_MORE, "secret");
    typed("secret\r", SECRET_DONE, "secret");
    typed("secret\n", SECRET_DONE, "secret");
    typed("\r", SECRET_DONE, "");
    memset(&s, 0, sizeof(s));
    assert_int_equal(feed("one\rtwo\r", &left), SECRET_DONE);
    assert_int_equal(left, 4);
}

static void keys_are_taken_back(void **state)
{
    (void)state;
    typed("secrex\x7ft\r", SECRET_DONE, "secret");
    typed("\x08\x08se\r", SECRET_DONE, "se");
    typed("a\xC3\xA4\x7f\x7f"
          "b\r",
          SECRET_DONE, "b"); /* one character */
    typed("wrong\x15right\r", SECRET_DONE, "right");
    typed("a\x1b[Ab\r", SECRET_DONE, "a[Ab"); /* no control goes in */
}

static void it_can_be_given_up(void **state)
{
    (void)state;
    typed("sec\x03", SECRET_GIVE_UP, "sec");
    typed("\x04", SECRET_GIVE_UP, "");
    typed("sec\x04ret\r", SECRET_DONE, "secret");
}

static void too_much_is_noticed_not_cut(void **state)
{
    char keys[SECRET_MAX + 3];
    size_t left;
    (void)state;
    memset(keys, 'x', sizeof(keys));
    keys[SECRET_MAX] = '\0';
    memset(&s, 0, sizeof(s));
    feed(keys, &left);
    assert_false(s.too_long);
    feed("y", &left);
    assert_true(s.too_long);
    feed("\x7f", &left);
    assert_false(s.too_long);
}

static void a_file_holds_one_for_its_owner(void **state)
{
    char path[] = "/tmp/cmdop-secret.XXXXXX", buf[256];
    struct text why;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "two words\r\n", 11) == 11);
    TEXT_OF(&why, buf);
    assert_int_equal(secret_from_file(path, &s, &why), OK);
    assert_true(view_is(secret_view(&s), "two words"));
    chmod(path, 0644);
    assert_int_equal(secret_from_file(path, &s, &why), ERR_DAMAGED);
    assert_non_null(strstr(buf, "cannot read the password"));
    chmod(path, 0600);
    for (int i = 0; i < SECRET_MAX; i++)
        assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(secret_from_file(path, &s, &why), ERR_TOO_BIG);
    close(fd);
    unlink(path);
    assert_int_equal(secret_from_file(path, &s, &why), ERR_NOT_FOUND);
}

static void a_variable_holds_one_too(void **state)
{
    (void)state;
    unsetenv("CMDOP_TEST_SECRET");
    assert_int_equal(secret_from_env("CMDOP_TEST_SECRET", &s), ERR_NOT_FOUND);
    setenv("CMDOP_TEST_SECRET", "", 1);
    assert_int_equal(secret_from_env("CMDOP_TEST_SECRET", &s), ERR_NOT_FOUND);
    setenv("CMDOP_TEST_SECRET", "secret", 1);
    assert_int_equal(secret_from_env("CMDOP_TEST_SECRET", &s), OK);
    assert_true(view_is(secret_view(&s), "secret"));
    secret_wipe(&s);
    assert_int_equal(s.len, 0);
    assert_int_equal(s.bytes[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_at_enter),
        cmocka_unit_test(keys_are_taken_back),
        cmocka_unit_test(it_can_be_given_up),
        cmocka_unit_test(too_much_is_noticed_not_cut),
        cmocka_unit_test(a_file_holds_one_for_its_owner),
        cmocka_unit_test(a_variable_holds_one_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
