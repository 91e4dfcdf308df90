/* Folders: which variable wins, and what is told when none can. */
#include "core/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

static struct paths p;
static char sentence[512];
static char long_path[PATH_CAP + 1];

static int find(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&p, 0, sizeof p);
    return paths_find(&p, &why);
}

/* A path of `len` characters. */
static const char *path_of(size_t len)
{
    memset(long_path, 'a', len);
    long_path[0] = '/';
    long_path[len] = '\0';
    return long_path;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.home = "/home/u";
    return 0;
}

static void all_are_below_home_when_nothing_is_set(void **state)
{
    (void)state;
    assert_int_equal(find(), OK);
    assert_string_equal(p.config, "/home/u/.config/cmdop");
    assert_string_equal(p.state, "/home/u/.local/state/cmdop");
    assert_string_equal(p.runtime, "/home/u/.local/state/cmdop/run");
    assert_string_equal(p.server, "/home/u/.local/state/cmdop/server");
    assert_string_equal(sentence, "");
}

static void xdg_variables_name_the_parents(void **state)
{
    (void)state;
    fake_setenv("XDG_CONFIG_HOME", "/x/config/");
    fake_setenv("XDG_STATE_HOME", "/");
    fake_setenv("XDG_RUNTIME_DIR", "/run/user/7");
    fake.home = NULL;
    assert_int_equal(find(), OK);
    assert_string_equal(p.config, "/x/config/cmdop");
    assert_string_equal(p.state, "/cmdop");
    assert_string_equal(p.runtime, "/run/user/7/cmdop");
    assert_string_equal(p.server, "/cmdop/server");
}

static void our_own_variables_win(void **state)
{
    (void)state;
    fake_setenv("XDG_CONFIG_HOME", "/x");
    fake_setenv("XDG_STATE_HOME", "/x");
    fake_setenv("XDG_RUNTIME_DIR", "/x");
    fake_setenv("CMDOP_CONFIG_DIR", "/etc/cmdop");
    fake_setenv("CMDOP_STATE_DIR", "/var/lib/cmdop//");
    fake_setenv("CMDOP_RUNTIME_DIR", "/run/cmdop");
    fake.home = NULL;
    assert_int_equal(find(), OK);
    assert_string_equal(p.config, "/etc/cmdop");
    assert_string_equal(p.state, "/var/lib/cmdop");
    assert_string_equal(p.runtime, "/run/cmdop");
    assert_string_equal(p.server, "/var/lib/cmdop/server");
}

static void without_a_runtime_folder_it_is_in_the_state(void **state)
{
    (void)state;
    fake_setenv("CMDOP_STATE_DIR", "/s");
    assert_int_equal(find(), OK);
    assert_string_equal(p.runtime, "/s/run");
}

static void empty_and_relative_xdg_variables_are_ignored(void **state)
{
    (void)state;
    fake_setenv("XDG_CONFIG_HOME", "");
    fake_setenv("XDG_STATE_HOME", "state");
    fake_setenv("CMDOP_RUNTIME_DIR", "");
    fake_setenv("XDG_RUNTIME_DIR", "./run");
    assert_int_equal(find(), OK);
    assert_string_equal(p.config, "/home/u/.config/cmdop");
    assert_string_equal(p.state, "/home/u/.local/state/cmdop");
    assert_string_equal(p.runtime, "/home/u/.local/state/cmdop/run");
}

static void a_relative_variable_of_ours_is_an_error(void **state)
{
    static const char *const names[] = {"CMDOP_CONFIG_DIR", "CMDOP_STATE_DIR",
                                        "CMDOP_RUNTIME_DIR"};

    for (size_t i = 0; i < 3; i++) {
        setup(state);
        fake_setenv(names[i], "cmdop");
        assert_int_equal(find(), ERR_RANGE);
        assert_non_null(strstr(sentence, names[i]));
        assert_non_null(strstr(sentence, "absolute"));
        assert_string_equal(p.config, "");
    }
}

static void a_missing_home_is_told_with_a_way_out(void **state)
{
    (void)state;
    fake.home = NULL;
    assert_int_equal(find(), ERR_NOT_FOUND);
    assert_string_equal(sentence, "the home folder is unknown; set HOME, or "
                                  "CMDOP_CONFIG_DIR");
    fake_setenv("CMDOP_CONFIG_DIR", "/c");
    assert_int_equal(find(), ERR_NOT_FOUND);
    assert_non_null(strstr(sentence, "CMDOP_STATE_DIR"));
    fake_setenv("CMDOP_STATE_DIR", "/s");
    assert_int_equal(find(), OK);
}

static void what_does_not_fit_is_told_and_never_cut(void **state)
{
    static const char *const names[] = {
        "CMDOP_CONFIG_DIR", "CMDOP_STATE_DIR", "CMDOP_RUNTIME_DIR",
        "XDG_CONFIG_HOME",  "XDG_STATE_HOME",  "XDG_RUNTIME_DIR",
    };

    for (size_t i = 0; i < 6; i++) {
        setup(state);
        fake_setenv(names[i], path_of(PATH_CAP));
        assert_int_equal(find(), ERR_RANGE);
        assert_non_null(strstr(sentence, "too long"));
    }
    setup(state);
    fake.home = path_of(PATH_CAP - 10);
    assert_int_equal(find(), ERR_RANGE);
    setup(state);
    fake_setenv("CMDOP_STATE_DIR", path_of(PATH_CAP - 5));
    assert_int_equal(find(), ERR_RANGE); /* "/server" does not fit */
    setup(state);
    fake_setenv("CMDOP_CONFIG_DIR", path_of(PATH_CAP - 1));
    assert_int_equal(find(), OK);
    assert_int_equal(strlen(p.config), PATH_CAP - 1);
}

static void join_puts_one_slash(void **state)
{
    char out[PATH_CAP];

    (void)state;
    assert_int_equal(paths_join(out, "/a", "b"), OK);
    assert_string_equal(out, "/a/b");
    assert_int_equal(paths_join(out, "/", "b"), OK);
    assert_string_equal(out, "/b");
    assert_int_equal(paths_join(out, "", "b"), OK);
    assert_string_equal(out, "b");
}

static void join_fits_to_the_last_byte(void **state)
{
    char out[PATH_CAP];

    (void)state;
    assert_int_equal(paths_join(out, path_of(PATH_CAP - 3), "b"), OK);
    assert_int_equal(strlen(out), PATH_CAP - 1);
    assert_int_equal(paths_join(out, path_of(PATH_CAP - 2), "b"), ERR_RANGE);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_are_below_home_when_nothing_is_set, setup),
        cmocka_unit_test_setup(xdg_variables_name_the_parents, setup),
        cmocka_unit_test_setup(our_own_variables_win, setup),
        cmocka_unit_test_setup(without_a_runtime_folder_it_is_in_the_state,
                               setup),
        cmocka_unit_test_setup(empty_and_relative_xdg_variables_are_ignored,
                               setup),
        cmocka_unit_test_setup(a_relative_variable_of_ours_is_an_error, setup),
        cmocka_unit_test_setup(a_missing_home_is_told_with_a_way_out, setup),
        cmocka_unit_test_setup(what_does_not_fit_is_told_and_never_cut, setup),
        cmocka_unit_test(join_puts_one_slash),
        cmocka_unit_test(join_fits_to_the_last_byte),
    };
    return cmocka_run_group_tests_name("core/paths", tests, NULL, NULL);
}
