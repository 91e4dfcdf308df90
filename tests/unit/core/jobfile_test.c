/*
 * The file of a kept command: what is written is read, and what is not such
 * a file is told from one.
 */
#include "core/jobfile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/hold.h"
#include "fake/port_keep.h"

#define FOLDER "/state/jobs"
#define PLACE  "0123456789abcdef0123456789abcdef"
#define PATH   FOLDER "/" PLACE ".job"

static const msg_job_info full = {
    .id = "nightly",
    .state = cmdop_agent_v1_JobState_JOB_STATE_EXITED,
    .status = 3,
    .command = "sh -c 'exit 3'",
    .user = "ada",
    .started_ms = 1800000000000,
    .ended_ms = 1800000001000,
    .out_end = UINT64_MAX,
    .err_end = 7,
    .keep = true,
    .pid = 4242,
    .digest = {.size = 4, .bytes = {1, 0, 2, 255}},
    .boot = "since then",
};

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static void what_is_written_is_read(void **state)
{
    msg_job_info got;
    (void)state;
    assert_int_equal(jobfile_write(FOLDER, PLACE, &full), OK);
    assert_int_equal(fake.folders, 1);
    assert_string_equal(fake.file[0].path, PATH);
    memset(&got, 0x5A, sizeof(got));
    assert_int_equal(jobfile_read(FOLDER, PLACE, &got), OK);
    assert_string_equal(got.id, full.id);
    assert_int_equal(got.state, full.state);
    assert_int_equal(got.status, full.status);
    assert_string_equal(got.command, full.command);
    assert_string_equal(got.user, full.user);
    assert_true(got.started_ms == full.started_ms);
    assert_true(got.ended_ms == full.ended_ms);
    assert_true(got.out_end == full.out_end && got.err_end == full.err_end);
    assert_true(got.keep);
    assert_int_equal(got.pid, full.pid);
    assert_int_equal(got.digest.size, 4);
    assert_memory_equal(got.digest.bytes, full.digest.bytes, 4);
    assert_string_equal(got.boot, full.boot);
}

static void the_largest_fits(void **state)
{
    msg_job_info big = cmdop_agent_v1_JobInfo_init_zero, got;
    (void)state;
    memset(big.id, 'i', sizeof(big.id) - 1);
    memset(big.command, 'c', sizeof(big.command) - 1);
    memset(big.user, 'u', sizeof(big.user) - 1);
    memset(big.boot, 'b', sizeof(big.boot) - 1);
    big.state = cmdop_agent_v1_JobState_JOB_STATE_LOST;
    big.status = big.operators = big.pid = UINT32_MAX;
    big.started_ms = big.ended_ms = INT64_MIN;
    big.out_end = big.err_end = UINT64_MAX;
    big.keep = true;
    big.digest.size = sizeof(big.digest.bytes);
    assert_int_equal(jobfile_write(FOLDER, PLACE, &big), OK);
    assert_true(fake.file[0].len <= JOBFILE_BYTES);
    assert_int_equal(jobfile_read(FOLDER, PLACE, &got), OK);
    assert_string_equal(got.command, big.command);
}

static int read_of(struct view content)
{
    msg_job_info got;
    fake_reset_files();
    fake_put(PATH, content);
    return jobfile_read(FOLDER, PLACE, &got);
}

static void damage_is_told_and_the_file_stays(void **state)
{
    static uint8_t long_one[JOBFILE_BYTES + 1];
    (void)state;
    assert_int_equal(read_of(VIEW_NONE), ERR_DAMAGED);
    assert_int_equal(read_of(view_str("\x10\x01")), ERR_DAMAGED); /* no id */
    assert_int_equal(read_of(view_str("\x0a\x07night")), ERR_DAMAGED);
    assert_int_equal(read_of(view_str("nightly\n")), ERR_DAMAGED);
    assert_int_equal(read_of(VIEW_ARRAY(long_one)), ERR_DAMAGED);
    assert_int_equal(fake.count, 1);
}

/* Cut anywhere it is damaged, or an earlier state of nothing worse. */
static void a_file_cut_short_never_changes_its_id(void **state)
{
    uint8_t raw[JOBFILE_BYTES];
    msg_job_info got;
    (void)state;
    assert_int_equal(jobfile_write(FOLDER, PLACE, &full), OK);
    size_t len = fake.file[0].len;
    memcpy(raw, fake.file[0].data, len);
    for (size_t cut = 0; cut < len; cut++) {
        fake_put(PATH, view_of(raw, cut));
        int err = jobfile_read(FOLDER, PLACE, &got);
        assert_true(err == OK || err == ERR_DAMAGED);
        if (err == OK)
            assert_string_equal(got.id, full.id);
    }
}

static void no_file_is_no_damage(void **state)
{
    msg_job_info got;
    (void)state;
    assert_int_equal(jobfile_read(FOLDER, PLACE, &got), ERR_NOT_FOUND);
    jobfile_remove(FOLDER, PLACE);
    assert_int_equal(jobfile_write(FOLDER, PLACE, &full), OK);
    jobfile_remove(FOLDER, PLACE);
    assert_int_equal(fake.count, 0);
}

static void a_disk_that_fails_is_told(void **state)
{
    msg_job_info got;
    (void)state;
    fake.fail_err = ERR_NO_SPACE;
    fake.fail_on = true;
    for (fake.fail_at = 1; fake.fail_at <= 2; fake.fail_at++) {
        fake.calls = 0;
        assert_int_equal(jobfile_write(FOLDER, PLACE, &full), ERR_NO_SPACE);
        assert_int_equal(fake.count, 0);
    }
    fake.fail_at = 1;
    fake.calls = 0;
    assert_int_equal(jobfile_read(FOLDER, PLACE, &got), ERR_NO_SPACE);
}

static void a_folder_too_deep_is_told(void **state)
{
    char deep[600];
    msg_job_info got;
    (void)state;
    memset(deep, 'd', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    assert_true(jobfile_write(deep, PLACE, &full) < 0);
    assert_true(jobfile_read(deep, PLACE, &got) < 0);
    jobfile_remove(deep, PLACE);
    assert_int_equal(fake.calls, 0);
}

static void such_a_file_is_known_by_its_name(void **state)
{
    char place[HOLD_ID_CAP];
    (void)state;
    assert_true(jobfile_is(PLACE ".job", place));
    assert_string_equal(place, PLACE);
    assert_false(jobfile_is(PLACE, place));
    assert_false(jobfile_is(PLACE ".jo", place));
    assert_false(jobfile_is(PLACE ".jobs", place));
    assert_false(jobfile_is(PLACE ".job.new", place));
    assert_false(jobfile_is("0" PLACE ".job", place));
    assert_false(jobfile_is("", place));
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(what_is_written_is_read),
        FACT(the_largest_fits),
        FACT(damage_is_told_and_the_file_stays),
        FACT(a_file_cut_short_never_changes_its_id),
        FACT(no_file_is_no_damage),
        FACT(a_disk_that_fails_is_told),
        FACT(a_folder_too_deep_is_told),
        FACT(such_a_file_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
