/* Connecting; see dial.h. */
#include "transport/dial.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define NEXT_TRY_MS 250 /* RFC 8305, 5: Connection Attempt Delay */

/* ---- one handle --------------------------------------------------------- */

static void try_close(struct dial_try *t)
{
    if (t->row >= 0)
        loop_remove(t->dial->loop, t->row);
    if (t->handle >= 0)
        port_close(t->handle);
    t->row = t->handle = -1;
}

/* Wait on a handle that was just opened. */
static int try_open(struct dial_try *t, int handle, uint8_t want,
                    loop_row_fn *fn)
{
    t->handle = handle;
    t->row = loop_add(t->dial->loop, handle, want, fn, t);
    if (t->row >= 0)
        return OK;
    try_close(t);
    return ERR_FULL;
}

/* ---- the end ------------------------------------------------------------ */

/* How much a cause of failure tells, if several addresses failed: that one
 * machine said no is worth more than that another cannot be reached. */
static int weight(int err)
{
    return err == ERR_REFUSED ? 3 : err == ERR_TIMEOUT ? 2 : err != OK;
}

static void explain(struct dial *d, int err)
{
    bool is_v6 = strchr(d->host, ':') != NULL;
    struct text t;
    TEXT_OF(&t, d->why);
    text_str(&t, is_v6 ? "[" : "");
    text_safe(&t, view_str(d->host));
    text_str(&t, is_v6 ? "]" : "");
    if (err != ERR_NAME) {
        text_char(&t, ':');
        text_u64(&t, d->port);
    }
    text_join(&t, ": ", err_str(err), NULL);
}

/* Remember why an address failed, if it is the best reason so far. */
static void note(struct dial *d, int err)
{
    if (weight(err) > weight(d->result))
        d->result = err;
}

/* All handles but a winner's are closed; the callback comes as a job. */
static void end(struct dial *d, int result)
{
    d->state = DIAL_ENDED;
    d->result = result;
    loop_disarm(d->loop, d->timer);
    try_close(&d->lookup);
    for (int i = 0; i < DIAL_ADDRS_MAX; i++)
        try_close(&d->tries[i]);
    d->why[0] = '\0';
    if (result < 0)
        explain(d, result);
    loop_later(d->loop, &d->done);
}

static void tell(void *ctx)
{
    struct dial *d = ctx;
    int result = d->result;
    d->state = DIAL_IDLE;
    d->result = OK;
    d->fn(d->ctx, result, d->why);
}

/* ---- trying addresses --------------------------------------------------- */

static void on_connected(void *ctx, uint8_t ready);

static bool is_trying(const struct dial *d)
{
    for (int i = 0; i < DIAL_ADDRS_MAX; i++)
        if (d->tries[i].handle >= 0)
            return true;
    return false;
}

static int try_address(struct dial *d, int i)
{
    int handle = port_dial(&d->addrs[i]);
    if (handle < 0)
        return handle;
    return try_open(&d->tries[i], handle, PORT_WRITE, on_connected);
}

/* Start with the next address that can be started; set the clock for the one
 * after it, or for the end. Without any left, the best reason is the end. */
static void try_next(struct dial *d)
{
    uint64_t wake = d->deadline_ms;
    int err = ERR_MORE;
    while (err != OK && d->next < d->addrs_count) {
        err = try_address(d, d->next++);
        if (err != OK)
            note(d, err);
    }
    if (!is_trying(d)) {
        end(d, d->result != OK ? d->result : ERR_UNREACHABLE);
        return;
    }
    if (d->next < d->addrs_count &&
        loop_now(d->loop) + NEXT_TRY_MS < d->deadline_ms)
        wake = loop_now(d->loop) + NEXT_TRY_MS;
    loop_arm(d->loop, d->timer, wake);
}

static void on_connected(void *ctx, uint8_t ready)
{
    struct dial_try *t = ctx;
    struct dial *d = t->dial;
    int handle = t->handle;
    int err = port_dial_done(handle);
    (void)ready;
    if (err == ERR_MORE)
        return;
    if (err == OK) {
        t->handle = -1; /* the row goes, the handle stays */
        d->won = (int)(t - d->tries);
        end(d, handle);
        return;
    }
    note(d, err);
    try_close(t);
    try_next(d);
}

static void on_time(void *ctx, uint64_t now_ms)
{
    struct dial *d = ctx;
    if (now_ms >= d->deadline_ms) {
        note(d, ERR_TIMEOUT);
        end(d, d->result);
    } else {
        try_next(d);
    }
}

/* ---- names -------------------------------------------------------------- */

static void on_resolved(void *ctx, uint8_t ready)
{
    struct dial_try *t = ctx;
    struct dial *d = t->dial;
    int n = port_resolve_take(t->handle, d->addrs, DIAL_ADDRS_MAX);
    (void)ready;
    if (n == 0)
        return;
    t->handle = -1; /* the take closed it */
    try_close(t);
    if (n < 0) {
        end(d, n);
        return;
    }
    d->addrs_count = n;
    d->state = DIAL_TRYING;
    try_next(d);
}

static void resolve(struct dial *d)
{
    int handle = port_resolve(d->host, d->port);
    int err = handle < 0 ? handle
                         : try_open(&d->lookup, handle, PORT_READ, on_resolved);
    if (err != OK) {
        end(d, err);
        return;
    }
    d->state = DIAL_RESOLVING;
    loop_arm(d->loop, d->timer, d->deadline_ms);
}

/* ---- doors -------------------------------------------------------------- */

static void reset(struct dial *d)
{
    d->state = DIAL_IDLE;
    d->addrs_count = d->next = d->won = 0;
    d->result = OK;
    d->why[0] = '\0';
}

int dial_init(struct dial *d, struct loop *l)
{
    int timer = loop_timer_add(l, on_time, d);
    if (timer < 0)
        return timer;
    d->loop = l;
    d->timer = timer;
    loop_job_init(&d->done, tell, d);
    d->lookup = (struct dial_try){d, -1, -1};
    for (int i = 0; i < DIAL_ADDRS_MAX; i++)
        d->tries[i] = (struct dial_try){d, -1, -1};
    reset(d);
    return OK;
}

void dial_free(struct dial *d)
{
    dial_cancel(d);
    loop_timer_remove(d->loop, d->timer);
    d->timer = -1;
}

int dial_start(struct dial *d, const char *host, uint16_t port,
               uint64_t timeout_ms, dial_fn *fn, void *ctx)
{
    size_t len = strlen(host);
    assert(d->state == DIAL_IDLE);
    if (len == 0 || len >= sizeof(d->host))
        return ERR_RANGE;
    reset(d);
    memcpy(d->host, host, len + 1);
    d->port = port;
    d->deadline_ms = loop_now(d->loop) + timeout_ms;
    d->fn = fn;
    d->ctx = ctx;
    if (port_addr_parse(host, port, &d->addrs[0]) == OK) {
        d->addrs_count = 1;
        d->state = DIAL_TRYING;
        try_next(d);
    } else {
        resolve(d);
    }
    return OK;
}

void dial_address(struct dial *d, const char *host, const struct port_addr *to,
                  uint64_t timeout_ms, dial_fn *fn, void *ctx)
{
    assert(d->state == DIAL_IDLE);
    reset(d);
    STR_COPY(d->host, host);
    d->port = to->port;
    d->deadline_ms = loop_now(d->loop) + timeout_ms;
    d->fn = fn;
    d->ctx = ctx;
    d->addrs[0] = *to;
    d->addrs_count = 1;
    d->state = DIAL_TRYING;
    try_next(d);
}

const struct port_addr *dial_won(const struct dial *d)
{
    return &d->addrs[d->won];
}

void dial_cancel(struct dial *d)
{
    if (d->state == DIAL_IDLE)
        return;
    if (d->state == DIAL_ENDED && d->result >= 0)
        port_close(d->result);
    d->fn = NULL;
    end(d, ERR_CLOSED);
    loop_cancel(d->loop, &d->done);
    reset(d);
}

bool dial_busy(const struct dial *d)
{
    return d->state != DIAL_IDLE;
}
