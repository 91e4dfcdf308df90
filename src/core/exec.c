/* Channels of kind EXEC; see exec.h. */
#include "core/exec.h"

#include <string.h>

#include "base/err.h"
#include "core/request.h"

/* ---- viewers ----------------------------------------------------------------- */

static struct viewer *take_viewer(struct jobs *j)
{
    for (uint32_t i = 0; i < VIEWERS_MAX; i++)
        if (j->viewers[i].job == NULL)
            return &j->viewers[i];
    return NULL;
}

static void enter(struct job *t, struct viewer *v)
{
    v->job = t;
    v->next = t->viewers;
    t->viewers = v;
    t->operators++;
    if (v->watches)
        return;
    t->holder = v;
    job_held(t);
}

/* His channel is over. Returns whether he was the holder. */
static bool leave(struct viewer *v)
{
    struct job *t = v->job;
    struct viewer **at = &t->viewers;
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    t->operators--;
    v->job = NULL;
    bool held = t->holder == v;
    if (held)
        t->holder = NULL;
    return held;
}

static void turn_away(struct viewer *v, msg_code code, const char *what,
                      const char *remedy)
{
    msg_close end = chan_failure(code, what, remedy);
    chan_close(&v->chan, &end, CHAN_NOW);
}

/* ---- the channel ------------------------------------------------------------- */

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct viewer *v = ctx;
    struct job *t = v->job;
    (void)off;
    if (stream != 0)
        return ERR_PROTO;
    if (t->holder != v)
        return bytes.len == 0 ? OK : ERR_PROTO; /* it had no credit */
    return job_put(t, bytes, fin);
}

static void on_event(void *ctx, const msg_event *event)
{
    struct viewer *v = ctx;
    if (event->which_what == cmdop_agent_v1_Event_signal_tag &&
        v->job->holder == v)
        job_signal(v->job, event->what.signal.name);
}

static bool is_lost(const msg_close *end)
{
    return end == NULL ||
           (end->which_result == cmdop_agent_v1_Close_failure_tag &&
            end->result.failure.code == cmdop_agent_v1_Code_CODE_LOST);
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct viewer *v = ctx;
    struct job *t = v->job;
    if (!leave(v))
        job_settle(t);
    else if (is_lost(end))
        job_lost(t);
    else if (end->which_result == cmdop_agent_v1_Close_detached_tag)
        job_left(t);
    else
        job_ended(t);
}

/* Our Close went out: he was told how it ended, or turned away. */
static void on_ended(void *ctx)
{
    struct viewer *v = ctx;
    struct job *t = v->job;
    if (leave(v))
        t->told = job_is_over(t);
    job_settle(t);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct viewer *v = ctx;
    if (!v->quiet)
        return job_peek(v->job, stream, off, fin);
    *fin = job_is_over(v->job);
    return VIEW_NONE;
}

/* Who cannot come back needs no byte twice. */
static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct viewer *v = ctx;
    if (v->job->holder == v && !v->job->returns)
        job_want(v->job, stream, upto);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct viewer *v = ctx;
    if (v->job->holder == v && v->job->returns)
        job_want(v->job, stream, ack);
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .acked = on_acked,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
};

/* ---- what the job tells ------------------------------------------------------ */

static void on_output(struct job *t)
{
    for (struct viewer *v = t->viewers; v != NULL; v = v->next)
        chan_wake(&v->chan);
}

static void on_input(struct job *t)
{
    if (t->holder != NULL)
        chan_used(&t->holder->chan, 0, t->in.head, t->in.head);
}

static void tell_end(struct viewer *v)
{
    msg_close end = job_result(v->job);
    chan_close(&v->chan, &end, CHAN_DRAIN);
}

static void on_over(struct job *t)
{
    for (struct viewer *v = t->viewers; v != NULL; v = v->next)
        tell_end(v);
}

/* ---- accepting --------------------------------------------------------------- */

/* Where the operator's copy of a stream begins, and what it has missed. */
static uint64_t first_offset(const struct job *t, uint32_t stream,
                             const struct asker *a, uint64_t *gap)
{
    uint64_t from = a->from[stream], first = job_first(t, stream);
    if (from > job_end(t, stream))
        from = job_end(t, stream);
    *gap = from < first ? first - from : 0;
    return from + *gap;
}

/* Somebody asked for it again: the other one is turned away. */
static void take_place(struct job *t)
{
    struct viewer *v = t->holder;
    if (v == NULL)
        return;
    t->holder = NULL;
    turn_away(v, cmdop_agent_v1_Code_CODE_CONFLICT,
              "somebody else asked for this command and has it now", "");
}

static void describe(const struct job *t, msg_exec_accept *info)
{
    info->pid = t->child.hold.block != NULL ? t->child.hold.block->pid : 0;
    STR_COPY(info->machine_id, t->owner->machine_id);
    port_hostname(info->hostname, sizeof(info->hostname));
    STR_COPY(info->id, t->info.id);
    info->out_end = job_end(t, 0);
    info->err_end = job_end(t, 1);
}

static int accept_viewer(struct job *t, struct viewer *v, const struct asker *a,
                         bool created)
{
    msg_open asked = {.channel = a->channel, .window = a->window};
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_exec_accept info = {.created = created};
    describe(t, &info);
    accept.in_offset = v->watches ? 0 : t->in.tail;
    accept.out_offset = first_offset(t, 0, a, &info.out_gap);
    accept.err_offset = first_offset(t, 1, a, &info.err_gap);
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_ExecAccept_fields, &info);
    chan_init(&v->chan, &ops, v, CHAN_STREAMS, v->watches ? 0 : JOB_RING, true);
    int err = chan_accept(a->mux, &v->chan, &asked, &accept);
    if (err != OK || v->watches)
        return err;
    job_want(t, 0, accept.out_offset);
    job_want(t, 1, accept.err_offset);
    return OK;
}

static void refuse_full(const struct asker *a)
{
    (void)mux_reject(a->mux, a->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                     "the connection or the command takes no more channels",
                     "close one of them first");
}

static void join(struct job *t, const struct asker *a, bool created)
{
    struct viewer *v = take_viewer(t->owner);
    if (v == NULL) {
        refuse_full(a);
        job_settle(t);
        return;
    }
    if (!a->watch)
        take_place(t);
    v->watches = a->watch;
    v->quiet = a->quiet;
    enter(t, v);
    if (accept_viewer(t, v, a, created) != OK) {
        bool held = leave(v);
        refuse_full(a);
        if (held)
            job_lost(t);
        else
            job_settle(t);
        return;
    }
    if (job_is_over(t))
        tell_end(v);
}

/* It may be one of those that did not answer. */
static void reject_unfound(const struct asker *a)
{
    (void)mux_reject(a->mux, a->channel, cmdop_agent_v1_Code_CODE_TIMEOUT,
                     "not all keepers have answered yet",
                     "try again in a moment");
}

static void on_ready(struct job *t, int err, const char *why)
{
    struct asker a = t->asker;
    t->asker.mux = NULL;
    if (err == OK && a.mux != NULL)
        join(t, &a, !t->adopting);
    else if (err == OK && a.unwanted)
        job_ended(t);
    else if (err == OK)
        job_lost(t); /* perhaps he comes back */
    else if (a.mux != NULL && t->adopting && err == ERR_CLOSED)
        reject_unfound(&a);
    else if (a.mux != NULL)
        request_refuse(a.mux, a.channel, err, why);
}

static const struct job_ops job_ops = {
    .ready = on_ready,
    .output = on_output,
    .input = on_input,
    .over = on_over,
};

int jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
              const char *machine_id, const char *machine_name,
              const char *folder)
{
    int err = job_pool_init(j, a, loop, &job_ops, folder);
    j->machine_id = machine_id;
    j->machine_name = machine_name;
    j->viewers = arena_carve(a, VIEWERS_MAX * sizeof(*j->viewers), 64);
    return err;
}

/* ---- an operator asks --------------------------------------------------------- */

static void reject(struct mux *m, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(m, open->channel, code, message, remedy);
}

/* Into one that is there. Its keeper may not have answered yet: then the one
 * who asked last is answered. */
static void ask_again(struct job *t, const struct asker *a)
{
    struct asker *before = &t->asker;
    if (t->child.ready || job_is_over(t)) {
        join(t, a, false);
        return;
    }
    if (before->mux != NULL)
        (void)mux_reject(
            before->mux, before->channel, cmdop_agent_v1_Code_CODE_CONFLICT,
            "somebody else asked for this command and has it now", "");
    *before = *a;
}

static void start(struct jobs *j, struct request *r, const msg_open *open,
                  struct job_order *o, const struct asker *a)
{
    struct environ_facts facts = {.machine = j->machine_name, .who = o->user};
    struct job *t;
    int err = environ_build(&r->environ, &facts, &r->env);
    o->env = r->environ.list;
    err = err != OK ? ERR_TOO_BIG : job_start(j, o, &t);
    if (err == ERR_EXISTS && jobs_unfound(j))
        reject_unfound(a);
    else if (err == ERR_EXISTS || err == ERR_DAMAGED)
        reject(a->mux, open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "a command had this id, and its file on the machine cannot be "
               "read",
               "choose another id");
    else if (err != OK)
        request_refuse(a->mux, open->channel, err, port_why());
    else
        t->asker = *a;
}

static void answer(struct jobs *j, struct request *r, struct mux *m,
                   const msg_open *open, const msg_exec_open *p)
{
    struct asker a = {.mux = m,
                      .channel = open->channel,
                      .window = open->window,
                      .watch = p->watch,
                      .quiet = p->quiet};
    struct job_order o = {.id = p->id,
                          .argv = r->argv.list,
                          .cwd = p->cwd,
                          .user = open->origin.user,
                          .timeout_ms = p->timeout_ms,
                          .keep = p->keep};
    if (p->resume) {
        a.from[0] = p->out_offset;
        a.from[1] = p->err_offset;
    }
    struct job *t = p->id[0] != '\0' ? job_find(j, p->id) : NULL;
    if (p->id[0] != '\0' && !job_id_ok(p->id))
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "an id is 1 to 64 letters, digits, dots, dashes and "
               "underscores",
               "");
    else if (t == NULL && (p->attach || p->watch) && jobs_unfound(j))
        reject_unfound(&a);
    else if (t == NULL && (p->attach || p->watch))
        reject(m, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such command on the machine",
               "`cmdop job list` shows those that are there");
    else if (t == NULL)
        start(j, r, open, &o, &a);
    else if (!p->attach && !p->watch && !job_is(t, &o))
        reject(m, open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "another command has this id", "choose another id");
    else
        ask_again(t, &a);
}

void exec_open(struct jobs *j, struct mux *m, const msg_open *open,
               struct view params)
{
    struct request *r = request_scratch();
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    p.argv = msg_strings_in(&r->argv);
    p.env = msg_strings_in(&r->env);
    if (msg_decode(params, cmdop_agent_v1_ExecOpen_fields, &p) != OK)
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the request to run a command does not parse", "");
    else
        answer(j, r, m, open, &p);
}

/* The relay says so of one that was lost, or if this machine took too long. */
static bool may_come_back(const msg_close *end)
{
    return is_lost(end) ||
           end->which_result != cmdop_agent_v1_Close_failure_tag ||
           end->result.failure.code == cmdop_agent_v1_Code_CODE_TIMEOUT;
}

void jobs_gone(struct jobs *j, const struct mux *m, uint32_t number,
               const msg_close *end)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &j->slots[i];
        struct asker *a = &t->asker;
        if (a->mux != m || (number != 0 && a->channel != number))
            continue;
        a->mux = NULL;
        a->unwanted = !t->adopting && !a->watch && !may_come_back(end);
        if (!t->returns)
            job_take_back(t);
    }
}
