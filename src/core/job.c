/* Commands on pipes; see job.h. */
#include "core/job.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/jobfile.h"
#include "core/jobpipe.h"
#include "core/paths.h"
#include "core/request.h"
#include "crypto/hash.h"

#define GRACE_MS     5000 /* between TERM and KILL */
#define PARTED_MAX   SPARES_MAX
#define RECORD_MAGIC 0x6a6f6273 /* "jobs" */

/* What the block keeps for the next agent. */
struct job_record {
    uint32_t magic;
    uint32_t timeout_ms;
    uint64_t taken; /* bytes of input that were put into the queue */
    uint32_t keep;
    uint32_t returns;
    uint32_t info_len;
    uint32_t timed_out; /* it was told to end because of that */
    uint8_t info[cmdop_agent_v1_JobInfo_size];
    /* When its time is over, on the clock of all agents since the machine
     * started; 0: an agent made it that did not note this. */
    uint64_t deadline_ms;
};
_Static_assert(sizeof(struct job_record) <= HOLD_RECORD,
               "a job's record fits its block");

static void on_ready(void *ctx, int err, const char *why);
static void on_exited(void *ctx);
static void on_deadline(void *ctx, uint64_t now_ms);
static void on_patience(void *ctx, uint64_t now_ms);
static bool on_knows(void *ctx, const char *place);
static int on_adopt(void *ctx, const char *place);
static bool on_gone(void *ctx, const char *place);
static void on_complete(void *ctx);
static const struct held_ops held_ops = {on_ready, on_exited, on_exited};
static const struct finder_ops finder_ops = {.knows = on_knows,
                                             .adopt = on_adopt,
                                             .gone = on_gone,
                                             .complete = on_complete};

static struct hold_block *block_of(const struct job *t)
{
    return t->child.hold.block;
}

static struct job_record *record_of(const struct job *t)
{
    return (struct job_record *)(void *)block_of(t)->record;
}

static struct span input_of(const struct job *t)
{
    return (struct span){
        t->owner->inputs + (size_t)(t - t->owner->slots) * JOB_RING, JOB_RING};
}

static bool is_used(const struct job *t)
{
    return t->info.id[0] != '\0';
}

/* Over, told, and kept for a moment only. */
static bool is_parted(const struct job *t)
{
    return is_used(t) && job_is_over(t) && !t->info.keep &&
           t->viewers == NULL && (t->told || !t->returns);
}

/* ---- its end ------------------------------------------------------------------------ */

msg_close job_result(const struct job *t)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = t->info.status};
    if (t->info.state == cmdop_agent_v1_JobState_JOB_STATE_TIMED_OUT)
        end = chan_failure(cmdop_agent_v1_Code_CODE_TIMEOUT,
                           "the command took longer than allowed and was "
                           "ended",
                           "give it more time with --timeout");
    else if (t->info.state == cmdop_agent_v1_JobState_JOB_STATE_LOST)
        end = chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                           "how the command ended is not known: its keeper "
                           "was killed, or the machine restarted",
                           "look on the machine what it has done");
    else if (t->broken)
        end = chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                           "the output of the command could not be read to "
                           "its end",
                           "run it again, with its output in a file");
    else if (t->info.state == cmdop_agent_v1_JobState_JOB_STATE_SIGNALLED) {
        end.which_result = cmdop_agent_v1_Close_signal_tag;
        end.result.signal = t->info.status;
    }
    end.duration_ms = (uint64_t)(t->info.ended_ms - t->info.started_ms);
    if (t->started_us != 0) /* no clock was set meanwhile */
        end.duration_ms = (port_now_us() - t->started_us) / 1000;
    return end;
}

static void note_end(struct job *t)
{
    const struct hold_block *b = block_of(t);
    msg_job_info *i = &t->info;
    i->state = !b->exited       ? cmdop_agent_v1_JobState_JOB_STATE_LOST
               : t->timed_out   ? cmdop_agent_v1_JobState_JOB_STATE_TIMED_OUT
               : b->signal != 0 ? cmdop_agent_v1_JobState_JOB_STATE_SIGNALLED
                                : cmdop_agent_v1_JobState_JOB_STATE_EXITED;
    i->status = b->signal != 0 ? b->signal : b->status;
    i->ended_ms = b->exited ? (int64_t)b->ended_ms : port_wall_ms();
    t->ended_ms = loop_now(t->owner->loop);
}

static void save(struct job *t)
{
    msg_job_info now;
    job_describe(t, &now);
    int err = jobfile_write(t->owner->folder, t->place, &now);
    if (err != OK)
        log_warn("job.file", port_why());
}

static void on_exited(void *ctx)
{
    struct job *t = ctx;
    if (job_is_over(t))
        return;
    note_end(t);
    loop_disarm(t->owner->loop, t->deadline);
    jobpipe_close_in(t);
    jobpipe_drain(t);
    if (t->info.keep)
        save(t);
    t->owner->ops->over(t);
    job_settle(t);
}

static void end_child(struct job *t)
{
    if (job_is_over(t) || t->ending)
        return;
    t->ending = true;
    held_signal(&t->child, "TERM");
    loop_arm(t->owner->loop, t->deadline, loop_now(t->owner->loop) + GRACE_MS);
}

static void on_deadline(void *ctx, uint64_t now_ms)
{
    struct job *t = ctx;
    (void)now_ms;
    if (t->ending) {
        held_signal(&t->child, "KILL");
        return;
    }
    t->timed_out = true;
    if (block_of(t) != NULL)
        record_of(t)->timed_out = 1;
    end_child(t);
}

void job_signal(struct job *t, const char *name)
{
    if (!job_is_over(t))
        held_signal(&t->child, name);
}

/* ---- slots ----------------------------------------------------------------------------- */

int job_pool_init(struct jobs *j, struct arena *a, struct loop *loop,
                  const struct job_ops *ops, const char *folder)
{
    *j = (struct jobs){.loop = loop, .ops = ops};
    held_pool_init(&j->pool, loop);
    finder_init(&j->finder, loop, j->folder, &finder_ops, j);
    j->slots = arena_carve(a, JOBS_MAX * sizeof(*j->slots), 64);
    j->inputs = arena_carve(a, (size_t)JOBS_MAX * JOB_RING, 4096);
    port_boot_id(j->boot, sizeof(j->boot));
    return paths_join(j->folder, folder, "jobs");
}

bool job_id_ok(const char *id)
{
    size_t n = 0;
    for (; id[n] != '\0'; n++) {
        char c = id[n], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '-' && c != '_')
            return false;
    }
    return n > 0 && n < JOB_ID_CAP;
}

struct job *job_find(struct jobs *j, const char *id)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (is_used(&j->slots[i]) && strcmp(j->slots[i].info.id, id) == 0)
            return &j->slots[i];
    return NULL;
}

bool job_at(const struct jobs *j, uint32_t at, msg_job_info *out)
{
    const struct job *t = &j->slots[at];
    if (!is_used(t) || !(t->child.ready || job_is_over(t)) ||
        (job_is_over(t) && !t->info.keep)) /* of no use to anybody */
        return false;
    job_describe(t, out);
    return true;
}

uint32_t jobs_live(const struct jobs *j)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        n += is_used(&j->slots[i]) && !job_is_over(&j->slots[i]);
    return n;
}

/* The keeper of a kept command goes: its place belongs to the id. */
static void release(struct job *t)
{
    struct jobs *j = t->owner;
    loop_timer_remove(j->loop, t->deadline);
    loop_timer_remove(j->loop, t->patience);
    jobpipe_unwatch(t);
    if (block_of(t) != NULL) {
        held_release(&t->child, t->info.keep ? NULL : &j->pool);
        port_memory_release(input_of(t));
    }
    t->info.id[0] = '\0';
    j->count--;
}

static void forget(struct job *t)
{
    if (t->info.keep)
        jobfile_remove(t->owner->folder, t->place);
    release(t);
}

/* Of those that are over, the one that may be forgotten first. */
static struct job *find_oldest(struct jobs *j, bool (*may)(const struct job *),
                               uint32_t *count)
{
    struct job *best = NULL;
    *count = 0;
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &j->slots[i];
        if (!may(t))
            continue;
        ++*count;
        if (best == NULL || t->ended_ms < best->ended_ms)
            best = t;
    }
    return best;
}

static bool was_told(const struct job *t)
{
    return is_used(t) && job_is_over(t) && t->told && t->viewers == NULL;
}

/* Their keepers are wanted for the next commands. */
static void thin_out(struct jobs *j)
{
    uint32_t parted;
    struct job *oldest = find_oldest(j, is_parted, &parted);
    if (oldest != NULL &&
        (parted > PARTED_MAX || (parted > 1 && !held_pool_has(&j->pool))))
        release(oldest);
}

static struct job *take_slot(struct jobs *j)
{
    uint32_t n;
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (!is_used(&j->slots[i]))
            return &j->slots[i];
    struct job *t = find_oldest(j, is_parted, &n);
    if (t == NULL)
        t = find_oldest(j, was_told, &n);
    if (t != NULL)
        forget(t);
    return t;
}

static void make_place(const char *id, char out[HOLD_ID_CAP])
{
    uint8_t digest[HASH_LEN];
    struct text t;
    hash_once(view_str(id), digest);
    text_init(&t, out, HOLD_ID_CAP);
    text_hex(&t, view_of(digest, (HOLD_ID_CAP - 1) / 2));
}

static struct job *occupy(struct jobs *j, const char *id)
{
    struct job *t = take_slot(j);
    if (t == NULL)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->owner = j;
    hold_none(&t->child.hold);
    t->child.row = -1;
    t->in_row = t->out_row[0] = t->out_row[1] = -1;
    t->deadline = loop_timer_add(j->loop, on_deadline, t);
    t->patience = loop_timer_add(j->loop, on_patience, t);
    ring_init(&t->in, input_of(t), 0);
    STR_COPY(t->info.id, id);
    t->info.state = cmdop_agent_v1_JobState_JOB_STATE_RUNNING;
    j->count++;
    return t;
}

/* ---- who is there ------------------------------------------------------------------------ */

static void wait_for(struct job *t, uint64_t ms)
{
    loop_arm(t->owner->loop, t->patience, loop_now(t->owner->loop) + ms);
}

static void run_free(struct job *t)
{
    for (uint32_t s = 0; s < CHAN_STREAMS; s++)
        job_want(t, s, HOLD_ALL_MAY_GO);
}

static void on_patience(void *ctx, uint64_t now_ms)
{
    struct job *t = ctx;
    (void)now_ms;
    if (job_is_over(t))
        forget(t);
    else if (t->info.keep)
        run_free(t);
    else
        job_ended(t);
}

void job_held(struct job *t)
{
    loop_disarm(t->owner->loop, t->patience);
}

void job_lost(struct job *t)
{
    if (!job_is_over(t) && !t->returns && !t->info.keep)
        job_ended(t);
    else if (!job_is_over(t) || !t->told)
        wait_for(t, JOB_RETURN_MS);
    job_settle(t);
}

void job_left(struct job *t)
{
    bool was = t->info.keep;
    t->info.keep = true;
    if (block_of(t) != NULL)
        record_of(t)->keep = 1;
    if (!was)
        save(t);
    run_free(t);
    job_settle(t);
}

void job_ended(struct job *t)
{
    if (block_of(t) != NULL && !job_is_over(t)) {
        jobpipe_close(t);
        end_child(t);
    }
    t->told = true; /* whoever ended it does not ask */
    job_settle(t);
}

void job_settle(struct job *t)
{
    if (!is_used(t) || !job_is_over(t) || t->viewers != NULL ||
        t->asker.mux != NULL)
        return;
    if (t->info.keep)
        wait_for(t, JOB_KEEP_MS);
    else if (!t->returns)
        release(t);
    else if (t->told)
        wait_for(t, JOB_RETURN_MS);
    thin_out(t->owner);
}

int job_remove(struct job *t, bool force)
{
    if (t->viewers != NULL || t->asker.mux != NULL ||
        (!job_is_over(t) && !force))
        return ERR_BUSY;
    forget(t);
    return OK;
}

void job_describe(const struct job *t, msg_job_info *out)
{
    *out = t->info;
    out->out_end = job_end(t, 0);
    out->err_end = job_end(t, 1);
    out->operators = t->operators;
    out->pid = block_of(t) != NULL ? block_of(t)->pid : 0;
}

/* ---- starting ---------------------------------------------------------------------------- */

static void make_digest(const struct job_order *o, uint8_t out[HASH_LEN])
{
    struct hash h;
    hash_init(&h);
    hash_field(&h, view_str(o->cwd));
    for (uint32_t i = 0; o->argv[i] != NULL; i++)
        hash_field(&h, view_str(o->argv[i]));
    hash_take(&h, out);
}

bool job_is(const struct job *t, const struct job_order *o)
{
    uint8_t digest[HASH_LEN];
    make_digest(o, digest);
    return view_eq(view_of(t->info.digest.bytes, t->info.digest.size),
                   VIEW_ARRAY(digest));
}

static void fill_info(struct job *t, const struct job_order *o)
{
    msg_job_info *i = &t->info;
    STR_COPY(i->user, o->user);
    STR_COPY(i->boot, t->owner->boot);
    i->keep = o->keep;
    i->started_ms = port_wall_ms();
    i->digest.size = HASH_LEN;
    make_digest(o, i->digest.bytes);
    request_words(o->argv, i->command, sizeof(i->command));
}

static int spawn(struct job *t, const struct job_order *o, uint64_t deadline_ms)
{
    struct job_record record = {.magic = RECORD_MAGIC,
                                .timeout_ms = o->timeout_ms,
                                .keep = o->keep,
                                .returns = t->returns,
                                .deadline_ms = deadline_ms};
    int len = msg_encode_plain(SPAN_ARRAY(record.info),
                               cmdop_agent_v1_JobInfo_fields, &t->info);
    if (len < 0)
        return len;
    record.info_len = (uint32_t)len;
    struct hold_start how = {
        .folder = t->owner->folder,
        .id = t->place,
        .record = view_of(&record, sizeof(record)),
        .what = {.argv = o->argv,
                 .env = o->env,
                 .cwd = o->cwd[0] != '\0' ? o->cwd : NULL},
        .ring_bytes = JOB_RING,
    };
    return held_start(&t->child, t->owner->loop,
                      o->keep ? NULL : &t->owner->pool, &held_ops, t, &how);
}

/* First the file, then the process: an id that may have been used is never
 * used again. */
static int claim(struct job *t)
{
    msg_job_info there;
    if (!t->info.keep)
        return OK;
    int err = jobfile_read(t->owner->folder, t->place, &there);
    if (err != ERR_NOT_FOUND)
        return err == OK ? ERR_EXISTS : err;
    return jobfile_write(t->owner->folder, t->place, &t->info);
}

int job_start(struct jobs *j, const struct job_order *o, struct job **out)
{
    uint8_t raw[16];
    char made[HOLD_ID_CAP];
    struct text id;
    if (o->argv[0] == NULL)
        return ERR_NOT_FOUND;
    port_entropy(SPAN_ARRAY(raw));
    TEXT_OF(&id, made);
    text_hex(&id, VIEW_ARRAY(raw));
    struct job *t = occupy(j, o->id[0] != '\0' ? o->id : made);
    if (t == NULL)
        return ERR_LIMIT;
    t->returns = o->id[0] != '\0';
    t->started_us = port_now_us();
    make_place(t->info.id, t->place);
    fill_info(t, o);
    int err = claim(t);
    if (err != OK) {
        release(t);
        return err;
    }
    uint64_t deadline_ms = loop_now(j->loop) + o->timeout_ms;
    err = spawn(t, o, deadline_ms);
    if (err != OK) {
        forget(t);
        return err;
    }
    if (o->timeout_ms > 0)
        loop_arm(j->loop, t->deadline, deadline_ms);
    *out = t;
    return OK;
}

void job_take_back(struct job *t)
{
    t->asker.mux = NULL;
    forget(t);
}

/* What an earlier agent knew of it. */
static int recall(struct job *t)
{
    const struct job_record *r = record_of(t);
    const struct hold_block *b = block_of(t);
    msg_job_info info = cmdop_agent_v1_JobInfo_init_zero;
    if (b->streams != CHAN_STREAMS || r->magic != RECORD_MAGIC ||
        r->info_len > sizeof(r->info) ||
        msg_decode(view_of(r->info, r->info_len), cmdop_agent_v1_JobInfo_fields,
                   &info) != OK ||
        !job_id_ok(info.id))
        return ERR_DAMAGED;
    struct job *same = job_find(t->owner, info.id);
    if (same != NULL && same != t)
        return ERR_EXISTS;
    t->info = info;
    t->info.state = cmdop_agent_v1_JobState_JOB_STATE_RUNNING;
    t->info.keep = r->keep != 0;
    t->returns = r->returns != 0;
    t->started_us = 0;
    t->in_fin = b->in.ends != 0;
    t->in_over = t->child.hold.child_in < 0;
    ring_init(&t->in, input_of(t), r->taken);
    /* Told to end already, it is once more: that may have been too late. */
    t->timed_out = r->timed_out != 0;
    uint64_t latest = loop_now(t->owner->loop) + r->timeout_ms;
    bool is_noted = r->deadline_ms != 0 && r->deadline_ms < latest;
    if (r->timeout_ms > 0)
        loop_arm(t->owner->loop, t->deadline,
                 is_noted ? r->deadline_ms : latest);
    return OK;
}

/* Somebody else has the place of this id: what he started is it. */
static bool adopt_instead(struct job *t, int err)
{
    if (err != ERR_EXISTS || t->adopting)
        return false;
    held_release(&t->child, NULL);
    t->adopting = true;
    return held_adopt(&t->child, t->owner->loop, &held_ops, t, t->owner->folder,
                      t->place) == OK;
}

/* We cannot take it: it goes on without us, and its file stays. */
static void let_go(struct job *t)
{
    jobpipe_unwatch(t);
    held_leave(&t->child);
    release(t);
}

/* From here on it ran, whatever becomes of its keeper: the file has its pid.
 * An agent that was killed just before left that to us. */
static void note_start(struct job *t)
{
    msg_job_info there;
    bool noted = t->adopting &&
                 jobfile_read(t->owner->folder, t->place, &there) == OK &&
                 there.pid != 0;
    if (t->info.keep && !noted)
        save(t);
}

static void on_ready(void *ctx, int err, const char *why)
{
    struct job *t = ctx;
    if (adopt_instead(t, err))
        return;
    /* It went, or could not be heard, and may have started its child. */
    if (err == ERR_CLOSED && hold_has_place(t->owner->folder, t->place))
        t->adopting = true;
    if (err == OK && t->adopting)
        err = recall(t);
    if (err == OK) {
        t->taken = &record_of(t)->taken;
        record_of(t)->timed_out = t->timed_out;
        err = jobpipe_watch(t);
    }
    if (err == OK)
        note_start(t);
    else if (t->adopting && err != ERR_DAMAGED && err != ERR_EXISTS)
        finder_miss(&t->owner->finder, t->place);
    t->owner->ops->ready(t, err, why);
    if (err == OK)
        jobpipe_settle_in(t);
    else if (t->adopting)
        let_go(t);
    else
        forget(t);
}

/* ---- after an earlier agent ------------------------------------------------------------------ */

/* Does its file, if it has one, say how it ended, or that this is lost? As
 * long as the disk is full its place tells it. */
static bool on_gone(void *ctx, const char *place)
{
    const struct jobs *j = ctx;
    msg_job_info info;
    if (jobfile_read(j->folder, place, &info) != OK ||
        info.state > cmdop_agent_v1_JobState_JOB_STATE_RUNNING)
        return true;
    info.state = cmdop_agent_v1_JobState_JOB_STATE_LOST;
    return jobfile_write(j->folder, place, &info) == OK;
}

static int on_adopt(void *ctx, const char *place)
{
    struct jobs *j = ctx;
    struct job *t = occupy(j, place); /* until its record tells its id */
    if (t == NULL)
        return ERR_LIMIT;
    STR_COPY(t->place, place);
    t->adopting = true;
    int err = held_adopt(&t->child, j->loop, &held_ops, t, j->folder, place);
    if (err != OK)
        release(t);
    return err;
}

void jobs_adopt(struct jobs *j)
{
    finder_look(&j->finder);
}

bool jobs_adopting(const struct jobs *j)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (is_used(&j->slots[i]) && j->slots[i].adopting &&
            j->slots[i].child.row >= 0 && !j->slots[i].child.ready)
            return true;
    return false;
}

bool jobs_unfound(const struct jobs *j)
{
    return j->finder.missed || jobs_adopting(j);
}

static bool on_knows(void *ctx, const char *place)
{
    const struct jobs *j = ctx;
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (is_used(&j->slots[i]) && strcmp(j->slots[i].place, place) == 0)
            return true;
    return false;
}

/* Without its keeper: it has ended, or ran when the machine restarted or its
 * keeper was told to end, or was never started. */
static void adopt_file(void *ctx, const char *name)
{
    struct jobs *j = ctx;
    char place[HOLD_ID_CAP];
    msg_job_info info;
    if (!jobfile_is(name, place) || on_knows(j, place))
        return;
    if (jobfile_read(j->folder, place, &info) != OK || !job_id_ok(info.id)) {
        log_warn("job.damaged", name);
        return;
    }
    bool runs = info.state <= cmdop_agent_v1_JobState_JOB_STATE_RUNNING;
    if (runs && info.pid == 0 && j->boot[0] != '\0' &&
        strcmp(info.boot, j->boot) == 0 && !hold_has_place(j->folder, place)) {
        jobfile_remove(j->folder, place);
        return;
    }
    if (runs)
        (void)on_gone(j, place);
    struct job *t = job_find(j, info.id) == NULL ? occupy(j, info.id) : NULL;
    if (t == NULL)
        return;
    STR_COPY(t->place, place);
    t->info = info;
    t->info.keep = true;
    t->in_over = true;
    if (runs)
        t->info.state = cmdop_agent_v1_JobState_JOB_STATE_LOST;
    t->ended_ms = loop_now(j->loop);
    wait_for(t, JOB_KEEP_MS);
}

static void on_complete(void *ctx)
{
    struct jobs *j = ctx;
    (void)port_folder_list(j->folder, adopt_file, j);
}
