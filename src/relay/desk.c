/* Where passwords are computed; see desk.h. */
#include "relay/desk.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"

#define AGAIN_MS 50

/* The queue is a ring; a job in the middle may end before those in front of
 * it, so places become free when all before them are. */
static struct desk_job *job_at(struct desk *d, uint32_t n)
{
    return &d->job[n % DESK_JOBS];
}

static void finish(struct desk_job *j, int err, const char *stored)
{
    struct desk *d = j->desk;
    desk_fn *fn = j->fn;
    void *ctx = j->ctx;
    uint32_t tag = j->tag;

    ct_wipe((struct span){(uint8_t *)&j->task, sizeof j->task});
    j->state = DESK_FREE;
    while (d->head != d->tail && job_at(d, d->head)->state == DESK_FREE)
        d->head++;
    fn(ctx, tag, err, stored);
    loop_later(d->loop, &d->later);
}

/* What a finished task means. */
static void settle(struct desk_job *j, int n, const uint8_t *answer)
{
    char stored[PWHASH_CAP] = "";

    if (n < 0) {
        finish(j, n, stored);
    } else if (!j->task.make) {
        finish(j, n == 1 && answer[0] == 1 ? OK : ERR_AUTH, stored);
    } else {
        bytes_to_str(stored, sizeof stored, view_of(answer, (size_t)n));
        finish(j, OK, stored);
    }
}

static void on_ready(void *ctx, uint8_t ready)
{
    struct desk_job *j = ctx;
    uint8_t answer[PORT_TASK_ANSWER_MAX];
    int n = port_task_take(j->handle, SPAN_ARRAY(answer));

    (void)ready;
    if (n == 0)
        return;
    loop_remove(j->desk->loop, j->row);
    j->desk->running--;
    settle(j, n, answer);
    ct_wipe(SPAN_ARRAY(answer));
}

/* OK when it runs or is over; ERR_LIMIT when it must wait. */
static int start(struct desk_job *j)
{
    int handle = port_task(pwhash_work, &j->task);

    if (handle == ERR_LIMIT)
        return ERR_LIMIT;
    if (handle < 0) {
        finish(j, handle, "");
        return OK;
    }
    j->row = loop_add(j->desk->loop, handle, PORT_READ, on_ready, j);
    if (j->row < 0) {
        port_close(handle);
        finish(j, ERR_LIMIT, "");
        return OK;
    }
    ct_wipe(SPAN_ARRAY(j->task.password));
    j->handle = handle;
    j->state = DESK_RUNS;
    j->desk->running++;
    return OK;
}

static void work(struct desk *d)
{
    for (uint32_t n = d->head; n != d->tail; n++) {
        struct desk_job *j = job_at(d, n);
        if (d->running == DESK_AT_ONCE)
            return;
        if (j->state != DESK_WAITS)
            continue;
        if (start(j) == ERR_LIMIT) {
            loop_arm(d->loop, d->again, loop_now(d->loop) + AGAIN_MS);
            return;
        }
        if (n - d->head >= DESK_JOBS) /* the head moved on */
            return;
    }
}

static void on_later(void *ctx)
{
    work(ctx);
}

static void on_again(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    work(ctx);
}

void desk_init(struct desk *d, struct loop *l)
{
    memset(d, 0, sizeof *d);
    d->loop = l;
    loop_job_init(&d->later, on_later, d);
    d->again = loop_timer_add(l, on_again, d);
    assert(d->again >= 0);
}

static struct desk_job *take(struct desk *d, struct view password, desk_fn *fn,
                             void *ctx, uint32_t tag, int *err)
{
    *err = ERR_RANGE;
    if (password.len == 0 || password.len > PWHASH_PASSWORD_MAX)
        return NULL;
    *err = ERR_FULL;
    if (d->tail - d->head == DESK_JOBS)
        return NULL;
    struct desk_job *j = job_at(d, d->tail++);
    *j = (struct desk_job){
        .state = DESK_WAITS, .desk = d, .fn = fn, .ctx = ctx, .tag = tag};
    memcpy(j->task.password, password.ptr, password.len);
    j->task.len = password.len;
    loop_later(d->loop, &d->later);
    *err = OK;
    return j;
}

int desk_check(struct desk *d, struct view password, const char *stored,
               desk_fn *fn, void *ctx, uint32_t tag)
{
    int err;
    struct desk_job *j = take(d, password, fn, ctx, tag, &err);

    if (j != NULL)
        STR_COPY(j->task.stored, stored);
    return err;
}

int desk_make(struct desk *d, struct view password, desk_fn *fn, void *ctx,
              uint32_t tag)
{
    int err;
    struct desk_job *j = take(d, password, fn, ctx, tag, &err);

    if (j != NULL) {
        j->task.make = true;
        port_entropy(SPAN_ARRAY(j->task.salt));
    }
    return err;
}

void desk_close(struct desk *d)
{
    for (size_t i = 0; i < DESK_JOBS; i++) {
        struct desk_job *j = &d->job[i];
        if (j->state == DESK_RUNS) {
            loop_remove(d->loop, j->row);
            port_close(j->handle);
        }
        ct_wipe((struct span){(uint8_t *)&j->task, sizeof j->task});
        j->state = DESK_FREE;
    }
    d->head = d->tail = d->running = 0;
}
