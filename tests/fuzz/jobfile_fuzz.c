/*
 * The file of a command that is kept, with anything in it. What is read has
 * an id and ends its texts, and written again it reads the same; what is not
 * read is damaged.
 */
#include "core/jobfile.h"

#include <string.h>

#include "core/hold.h"
#include "fake/port_keep.h"

#define FOLDER "/state/jobs"
#define PLACE  "0123456789abcdef0123456789abcdef"
#define PATH   FOLDER "/" PLACE ".job"

static bool is_text(const char *s, size_t cap)
{
    return memchr(s, '\0', cap) != NULL;
}

static void check(const msg_job_info *i)
{
    assert(i->id[0] != '\0');
    assert(is_text(i->id, sizeof i->id) && is_text(i->user, sizeof i->user));
    assert(is_text(i->command, sizeof i->command));
    assert(is_text(i->boot, sizeof i->boot));
    assert(i->digest.size <= sizeof i->digest.bytes);
}

static void check_same(const msg_job_info *a, const msg_job_info *b)
{
    assert(strcmp(a->id, b->id) == 0 && strcmp(a->user, b->user) == 0);
    assert(strcmp(a->command, b->command) == 0);
    assert(strcmp(a->boot, b->boot) == 0);
    assert(a->state == b->state && a->status == b->status);
    assert(a->started_ms == b->started_ms && a->ended_ms == b->ended_ms);
    assert(a->out_end == b->out_end && a->err_end == b->err_end);
    assert(a->operators == b->operators && a->pid == b->pid);
    assert(a->keep == b->keep && a->digest.size == b->digest.size);
    assert(memcmp(a->digest.bytes, b->digest.bytes, a->digest.size) == 0);
}

static void check_file(struct view content)
{
    static msg_job_info first, second;
    fake_reset_files();
    fake_put(PATH, content);
    int err = jobfile_read(FOLDER, PLACE, &first);
    assert(view_eq(view_of(fake.file[0].data, fake.file[0].len), content));
    if (err != OK) {
        assert(err == ERR_DAMAGED);
        return;
    }
    check(&first);
    assert(jobfile_write(FOLDER, PLACE, &first) == OK && fake.count == 1);
    assert(jobfile_read(FOLDER, PLACE, &second) == OK);
    check_same(&first, &second);
    jobfile_remove(FOLDER, PLACE);
    assert(fake.count == 0);
    assert(jobfile_read(FOLDER, PLACE, &first) == ERR_NOT_FOUND);
}

/* What a folder may hold beside files of jobs. */
static void check_name(struct view v)
{
    char name[64], place[HOLD_ID_CAP];
    (void)bytes_to_str(name, sizeof name, v);
    memset(place, 'x', sizeof place);
    if (!jobfile_is(name, place)) {
        assert(place[0] == 'x');
        return;
    }
    assert(strlen(place) == HOLD_ID_CAP - 1);
    assert(strncmp(name, place, HOLD_ID_CAP - 1) == 0);
    assert(strcmp(name + HOLD_ID_CAP - 1, ".job") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 * JOBFILE_BYTES)
        return 0;
    check_file(view_of(data, size));
    check_name(view_of(data, size));
    return 0;
}
