/* The event loop; see loop.h. */
#include "transport/loop.h"

#include <assert.h>

#include "base/err.h"

#define GROUP      64 /* timers per group, bits per word */
/* Rounds of jobs that call for jobs, before the handles get their turn. */
#define JOB_ROUNDS 4

struct loop_row {
    loop_row_fn *fn;
    void *ctx;
    int handle;
    uint8_t want; /* as the owner said it */
};

struct loop_timer {
    loop_timer_fn *fn;
    void *ctx;
};

#define CARVE(a, type, n) arena_carve((a), sizeof(type) * (n), _Alignof(type))

/* ---- free numbers ------------------------------------------------------- */

static size_t words(size_t n)
{
    return (n + GROUP - 1) / GROUP;
}

/* All of the first `n` numbers are free. */
static void numbers_init(uint64_t *set, size_t n)
{
    for (size_t i = 0; i < words(n); i++)
        set[i] = UINT64_MAX;
    if (n % GROUP != 0)
        set[n / GROUP] = (UINT64_C(1) << n % GROUP) - 1;
}

static bool number_is_free(const uint64_t *set, size_t i)
{
    return (set[i / GROUP] >> i % GROUP & 1) != 0;
}

/* Take the lowest free number: the tables in use stay short. */
static int number_take(uint64_t *set, size_t n)
{
    for (size_t w = 0; w < words(n); w++) {
        if (set[w] != 0) {
            int bit = __builtin_ctzll(set[w]);
            set[w] &= set[w] - 1;
            return (int)(w * GROUP) + bit;
        }
    }
    return ERR_FULL;
}

static void number_give(uint64_t *set, size_t i)
{
    assert(!number_is_free(set, i));
    set[i / GROUP] |= UINT64_C(1) << i % GROUP;
}

/* The length of a table whose last number in use may have become free. */
static size_t trim(const uint64_t *set, size_t len)
{
    while (len > 0 && number_is_free(set, len - 1))
        len--;
    return len;
}

/* ---- rows --------------------------------------------------------------- */

static bool is_row(const struct loop *l, int row)
{
    return row >= 0 && (size_t)row < l->rows &&
           !number_is_free(l->row_free, (size_t)row);
}

/* What port_wait sees of a row. A sleeping row shows it no handle. */
static void show(struct loop *l, size_t i)
{
    const struct loop_row *r = &l->row[i];
    l->want[i].handle = r->want != 0 ? r->handle : -1;
    l->want[i].want = r->want & (PORT_READ | PORT_WRITE);
}

static void set_handle(struct loop *l, size_t i, int handle, uint8_t want)
{
    l->row[i].handle = handle;
    l->row[i].want = want;
    l->want[i].ready = 0;
    l->want[i].serial++;
    show(l, i);
}

int loop_add(struct loop *l, int handle, uint8_t want, loop_row_fn *fn,
             void *ctx)
{
    int row = number_take(l->row_free, l->rows_cap);
    if (row < 0)
        return row;
    if ((size_t)row >= l->rows)
        l->rows = (size_t)row + 1;
    l->row[row].fn = fn;
    l->row[row].ctx = ctx;
    set_handle(l, (size_t)row, handle, want);
    return row;
}

void loop_want(struct loop *l, int row, uint8_t want)
{
    assert(is_row(l, row));
    if (l->row[row].want == want)
        return;
    l->row[row].want = want;
    show(l, (size_t)row);
}

void loop_handle(struct loop *l, int row, int handle, uint8_t want)
{
    assert(is_row(l, row));
    set_handle(l, (size_t)row, handle, want);
}

void loop_remove(struct loop *l, int row)
{
    assert(is_row(l, row));
    set_handle(l, (size_t)row, -1, 0);
    number_give(l->row_free, (size_t)row);
    l->rows = trim(l->row_free, l->rows);
}

/* The next ready row from `i` on. Eight at a time: nearly all rows are idle
 * in nearly every turn. */
static size_t next_ready(const struct port_want *want, size_t i, size_t n)
{
    for (; i + 8 <= n; i += 8) {
        unsigned any = 0;
        for (size_t k = 0; k < 8; k++)
            any |= want[i + k].ready;
        if (any != 0)
            break;
    }
    while (i < n && want[i].ready == 0)
        i++;
    return i;
}

/* Call the rows that are ready, `count` of the first `n`. Both are fixed
 * before the first call, the table may change in any of them: what was cut
 * off is idle, not gone. */
static void dispatch(struct loop *l, size_t n, int count)
{
    for (size_t i = 0; count > 0; i++, count--) {
        i = next_ready(l->want, i, n);
        if (i == n)
            break;
        const struct loop_row *r = &l->row[i];
        uint8_t ready = l->want[i].ready & (r->want | PORT_HANGUP);
        l->want[i].ready = 0;
        if (ready != 0 && r->want != 0)
            r->fn(r->ctx, ready);
    }
}

/* ---- timers ------------------------------------------------------------- */

static uint64_t nearest(const uint64_t *due, size_t n)
{
    uint64_t min = PORT_FOREVER;
    for (size_t i = 0; i < n; i++)
        min = due[i] < min ? due[i] : min;
    return min;
}

static void set_due(struct loop *l, size_t i, uint64_t at_ms)
{
    size_t g = i / GROUP;
    uint64_t old = l->due[i];
    l->due[i] = at_ms;
    if (at_ms < l->group_due[g])
        l->group_due[g] = at_ms;
    else if (old == l->group_due[g])
        l->group_due[g] = nearest(l->due + g * GROUP, GROUP);
}

static bool is_timer(const struct loop *l, int timer)
{
    return timer >= 0 && (size_t)timer < l->timers &&
           !number_is_free(l->timer_free, (size_t)timer);
}

int loop_timer_add(struct loop *l, loop_timer_fn *fn, void *ctx)
{
    int timer = number_take(l->timer_free, l->timers_cap);
    if (timer < 0)
        return timer;
    if ((size_t)timer >= l->timers)
        l->timers = (size_t)timer + 1;
    l->timer[timer].fn = fn;
    l->timer[timer].ctx = ctx;
    return timer;
}

void loop_timer_remove(struct loop *l, int timer)
{
    assert(is_timer(l, timer));
    set_due(l, (size_t)timer, PORT_FOREVER);
    number_give(l->timer_free, (size_t)timer);
    l->timers = trim(l->timer_free, l->timers);
}

void loop_arm(struct loop *l, int timer, uint64_t at_ms)
{
    assert(is_timer(l, timer));
    set_due(l, (size_t)timer, at_ms);
}

void loop_disarm(struct loop *l, int timer)
{
    loop_arm(l, timer, PORT_FOREVER);
}

static void fire_group(struct loop *l, size_t g)
{
    for (size_t i = g * GROUP; i < (g + 1) * GROUP; i++) {
        if (l->due[i] > l->now_ms || l->due[i] == PORT_FOREVER)
            continue;
        set_due(l, i, PORT_FOREVER);
        l->timer[i].fn(l->timer[i].ctx, l->now_ms);
    }
}

/* Each timer fires at most once per turn, even one that arms itself anew for
 * the past. */
static void fire(struct loop *l)
{
    for (size_t g = 0; g < words(l->timers); g++)
        if (l->group_due[g] <= l->now_ms)
            fire_group(l, g);
}

/* ---- jobs --------------------------------------------------------------- */

void loop_job_init(struct loop_job *job, loop_job_fn *fn, void *ctx)
{
    *job = (struct loop_job){.fn = fn, .ctx = ctx};
}

void loop_later(struct loop *l, struct loop_job *job)
{
    if (job->is_queued)
        return;
    job->is_queued = true;
    job->next = NULL;
    if (l->job_first == NULL)
        l->job_first = job;
    else
        l->job_last->next = job;
    l->job_last = job;
}

void loop_cancel(struct loop *l, struct loop_job *job)
{
    struct loop_job *before = NULL;
    if (!job->is_queued)
        return;
    for (struct loop_job *j = l->job_first; j != job; j = j->next)
        before = j;
    if (before == NULL)
        l->job_first = job->next;
    else
        before->next = job->next;
    if (l->job_last == job)
        l->job_last = before;
    job->is_queued = false;
}

/* One job off the front. It may queue itself again while it runs. */
static void run_one(struct loop *l)
{
    struct loop_job *job = l->job_first;
    l->job_first = job->next;
    job->is_queued = false;
    job->fn(job->ctx);
}

/* The jobs there are, then those they called for, a few rounds deep. A round
 * ends at a mark in the queue, so that cancelling is simple. */
static void mark_reached(void *ctx)
{
    *(bool *)ctx = true;
}

static void run_round(struct loop *l)
{
    bool is_over = false;
    struct loop_job mark;
    loop_job_init(&mark, mark_reached, &is_over);
    loop_later(l, &mark);
    while (!is_over)
        run_one(l);
}

static void run_jobs(struct loop *l)
{
    for (int i = 0; i < JOB_ROUNDS && l->job_first != NULL; i++)
        run_round(l);
}

/* ---- the turn ----------------------------------------------------------- */

void loop_init(struct loop *l, struct arena *a, size_t rows, size_t timers)
{
    *l = (struct loop){.rows_cap = rows, .timers_cap = timers};
    l->want = CARVE(a, struct port_want, rows);
    l->row = CARVE(a, struct loop_row, rows);
    l->row_free = CARVE(a, uint64_t, words(rows));
    l->due = CARVE(a, uint64_t, words(timers) * GROUP);
    l->group_due = CARVE(a, uint64_t, words(timers));
    l->timer = CARVE(a, struct loop_timer, timers);
    l->timer_free = CARVE(a, uint64_t, words(timers));
    numbers_init(l->row_free, rows);
    numbers_init(l->timer_free, timers);
    for (size_t i = 0; i < rows; i++)
        l->want[i] = (struct port_want){.handle = -1};
    for (size_t i = 0; i < words(timers) * GROUP; i++)
        l->due[i] = PORT_FOREVER;
    for (size_t i = 0; i < words(timers); i++)
        l->group_due[i] = PORT_FOREVER;
    l->now_ms = port_now_ms();
}

uint64_t loop_now(const struct loop *l)
{
    return l->now_ms;
}

static uint64_t wake_at(const struct loop *l)
{
    if (l->job_first != NULL)
        return 0;
    return nearest(l->group_due, words(l->timers));
}

int loop_turn(struct loop *l)
{
    size_t n = l->rows;
    int rc = port_wait(l->want, n, wake_at(l));
    l->now_ms = port_now_ms();
    if (rc < 0)
        return rc;
    fire(l);
    dispatch(l, n, rc);
    run_jobs(l);
    return OK;
}
