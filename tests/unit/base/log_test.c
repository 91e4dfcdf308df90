/* One line per event, in logfmt, at the levels that were asked for. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char last[2048];
static int lines;

static void sink(struct view line)
{
    bytes_to_str(last, sizeof(last), line);
    lines++;
}

static int64_t clock_of_1970(void)
{
    return 1500;
}

static int setup(void **state)
{
    (void)state;
    lines = 0;
    log_init(sink, clock_of_1970, LOG_DEBUG);
    return 0;
}

#define AT "time=1970-01-01T00:00:01Z level="

static void a_line_has_time_level_event_and_message(void **state)
{
    (void)state;
    log_info("link_open", "hello");
    assert_string_equal(last, AT "info event=link_open msg=\"hello\"");
    log_error("e", NULL);
    assert_string_equal(last, AT "error event=e");
    log_warn("e", "");
    assert_string_equal(last, AT "warn event=e msg=\"\"");
    log_debug("e", "m");
    assert_string_equal(last, AT "debug event=e msg=\"m\"");
    assert_int_equal(lines, 4);
}

static void quotes_cannot_end_the_message(void **state)
{
    (void)state;
    log_info("e", "a \"b\" \\ c");
    assert_string_equal(last, AT "info event=e msg=\"a \\\"b\\\" \\\\ c\"");
}

static void lower_levels_are_not_told(void **state)
{
    (void)state;
    log_init(sink, clock_of_1970, LOG_WARN);
    log_info("e", "m");
    log_debug("e", "m");
    assert_int_equal(lines, 0);
    log_warn("e", "m");
    log_error("e", "m");
    assert_int_equal(lines, 2);
}

static void without_a_sink_there_is_no_line(void **state)
{
    (void)state;
    log_init(NULL, NULL, LOG_DEBUG);
    log_error("e", "m");
    assert_int_equal(lines, 0);
}

static void a_long_message_is_cut(void **state)
{
    static char message[3000];
    (void)state;
    memset(message, 'x', sizeof(message) - 1);
    log_info("e", message);
    assert_int_equal(lines, 1);
    assert_in_range(strlen(last), 500, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_has_time_level_event_and_message, setup),
        cmocka_unit_test_setup(quotes_cannot_end_the_message, setup),
        cmocka_unit_test_setup(lower_levels_are_not_told, setup),
        cmocka_unit_test_setup(without_a_sink_there_is_no_line, setup),
        cmocka_unit_test_setup(a_long_message_is_cut, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
