/* The books of a link; see witness.h. */
#include "fuzz/witness.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

void witness_init(struct witness *w, bool initiator)
{
    w->number_last = 0;
    w->count = 0;
    w->said = 0;
    w->initiator = initiator;
    w->content = NULL;
    w->each = NULL;
    grpcframe_init(&w->in, SPAN_ARRAY(w->frame));
}

struct witness_chan *witness_find(struct witness *w, uint32_t number)
{
    for (uint32_t i = w->count; i > 0; i--)
        if (w->chan[i - 1].number == number)
            return &w->chan[i - 1];
    return NULL;
}

static struct witness_chan *enter(struct witness *w, const msg_open *open,
                                  bool ours)
{
    assert(w->count < WITNESS_CHANS);
    struct witness_chan *c = &w->chan[w->count++];
    memset(c, 0, sizeof(*c));
    c->number = open->channel;
    c->ours = ours;
    c->ask_window = open->window;
    c->window = ours ? open->window : 0;
    return c;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Accept is known to both: streams begin. */
static void begin(struct witness_chan *c, const msg_accept *a)
{
    uint32_t theirs = c->ours ? a->window : c->ask_window;
    c->window = c->ours ? c->ask_window : a->window;
    c->answered = true;
    c->out[0].next = c->ours ? a->in_offset : a->out_offset;
    c->in[0].next = c->in[0].ack = c->ours ? a->out_offset : a->in_offset;
    for (int i = 0; i < CHAN_STREAMS; i++) {
        /* A Credit may have come while our Accept was on its way. */
        c->out[i].limit = later(c->out[i].limit, c->out[i].next + theirs);
        c->in[i].limit = c->in[i].next + c->window;
    }
}

/* ---- heard -------------------------------------------------------------------- */

/* The fields of a message that the mux took; so it must parse. */
#define TAKE(name, var)                                                  \
    cmdop_agent_v1_##name var;                                           \
    memset(&var, 0, sizeof(var));                                        \
    int parsed = msg_decode(body, cmdop_agent_v1_##name##_fields, &var); \
    assert(parsed == OK)

static void heard_open(struct witness *w, struct view body)
{
    TAKE(Open, open);
    assert((open.channel & 1) == (w->initiator ? 0 : 1));
    for (uint32_t i = 0; i < w->count; i++)
        assert(w->chan[i].ours || w->chan[i].number < open.channel);
    (void)enter(w, &open, false);
}

static bool is_ours(const struct witness *w, uint32_t number)
{
    return (number & 1) == (w->initiator ? 1 : 0);
}

/* The peer speaks of a channel: NULL when there never was one. Numbers that
 * the mux gave but has not said yet can be guessed. */
static struct witness_chan *spoken_of(struct witness *w, uint32_t number)
{
    struct witness_chan *c = witness_find(w, number);
    if (c != NULL || !is_ours(w, number))
        return c;
    c = enter(w, &(msg_open){.channel = number}, true);
    c->guessed = true;
    return c;
}

static void heard_accept(struct witness *w, struct view body)
{
    TAKE(Accept, a);
    struct witness_chan *c = spoken_of(w, a.channel);
    if (c != NULL && c->ours && !c->answered && !c->left && !c->ended)
        begin(c, &a);
}

static void heard_data(struct witness *w, struct view body)
{
    struct msg_data d;
    struct view bytes;
    int parsed = msg_data_parse(body, &d, &bytes);
    assert(parsed == OK && d.stream < CHAN_STREAMS);
    struct witness_chan *c = spoken_of(w, d.channel);
    if (c == NULL)
        return;
    c->early = c->early || !c->answered;
    struct witness_stream *s = &c->in[d.stream];
    s->next = later(s->next, d.offset + bytes.len);
    s->fin = s->fin || d.fin;
}

static void heard_credit(struct witness *w, struct view body)
{
    TAKE(Credit, credit);
    assert(credit.stream < CHAN_STREAMS);
    struct witness_chan *c = spoken_of(w, credit.channel);
    if (c == NULL || (c->ours && !c->answered))
        return;
    struct witness_stream *s = &c->out[credit.stream];
    s->limit = later(s->limit, credit.limit);
}

static void heard_end(struct witness *w, uint32_t number)
{
    struct witness_chan *c = spoken_of(w, number);
    if (c != NULL)
        c->left = true;
}

void witness_heard(struct witness *w, int kind, struct view body)
{
    if (kind == MSG_OPEN)
        heard_open(w, body);
    else if (kind == MSG_ACCEPT)
        heard_accept(w, body);
    else if (kind == MSG_DATA)
        heard_data(w, body);
    else if (kind == MSG_CREDIT)
        heard_credit(w, body);
    if (kind == MSG_REJECT) {
        TAKE(Reject, reject);
        if (is_ours(w, reject.channel)) /* nobody rejects what he asked for */
            heard_end(w, reject.channel);
    } else if (kind == MSG_CLOSE) {
        TAKE(Close, end);
        heard_end(w, end.channel);
    }
}

/* ---- said --------------------------------------------------------------------- */

/* A channel that the mux may still speak about. */
static struct witness_chan *known(struct witness *w, uint32_t number)
{
    struct witness_chan *c = witness_find(w, number);
    assert(c != NULL && !c->ended);
    return c;
}

static void said_open(struct witness *w, struct view body)
{
    TAKE(Open, open);
    uint32_t first = w->initiator ? 1 : 2;
    uint32_t due = w->number_last == 0 ? first : w->number_last + 2;
    assert(open.channel == due);
    w->number_last = open.channel;
    if (witness_find(w, open.channel) == NULL)
        (void)enter(w, &open, true);
}

static void said_accept(struct witness *w, struct view body)
{
    TAKE(Accept, a);
    struct witness_chan *c = known(w, a.channel);
    assert(!c->ours && !c->answered);
    begin(c, &a);
}

static void said_data(struct witness *w, struct view body)
{
    struct msg_data d;
    struct view bytes;
    int parsed = msg_data_parse(body, &d, &bytes);
    assert(parsed == OK && d.stream < CHAN_STREAMS);
    struct witness_chan *c = known(w, d.channel);
    struct witness_stream *s = &c->out[d.stream];
    if (c->guessed)
        return;
    assert(c->answered);
    assert(!c->left && !s->fin);
    if (d.offset == s->next) {
        assert(bytes.len > 0 || d.fin);
    } else {
        assert(d.offset > s->next && bytes.len == 0 && !d.fin);
        s->next = d.offset;
    }
    assert(bytes.len == 0 || d.offset + bytes.len <= s->limit);
    if (w->content != NULL)
        w->content(d.stream, d.offset, bytes);
    s->next += bytes.len;
    s->fin = d.fin;
}

static void said_credit(struct witness *w, struct view body)
{
    TAKE(Credit, credit);
    assert(credit.stream < CHAN_STREAMS);
    struct witness_chan *c = known(w, credit.channel);
    struct witness_stream *s = &c->in[credit.stream];
    if (c->guessed)
        return;
    assert(c->answered);
    assert(credit.limit >= s->limit && credit.ack >= s->ack);
    assert(c->early || credit.limit <= s->next + c->window);
    assert(c->early || credit.ack <= s->next);
    s->limit = credit.limit;
    s->ack = credit.ack;
}

static void said_close(struct witness *w, struct view body)
{
    TAKE(Close, end);
    known(w, end.channel)->ended = true;
}

static void said_reject(struct witness *w, struct view body)
{
    TAKE(Reject, reject);
    struct witness_chan *c = known(w, reject.channel);
    assert(!c->ours && !c->answered);
    c->ended = true;
}

static void said_event(struct witness *w, struct view body)
{
    TAKE(Event, event);
    (void)known(w, event.channel);
}

static void said_one(struct witness *w, struct view frame)
{
    int kind;
    struct view body;
    int split = msg_split(frame, &kind, &body);
    assert(split == OK);
    w->said++;
    if (w->each != NULL)
        w->each(kind);
    switch (kind) {
    case MSG_OPEN: said_open(w, body); break;
    case MSG_ACCEPT: said_accept(w, body); break;
    case MSG_REJECT: said_reject(w, body); break;
    case MSG_DATA: said_data(w, body); break;
    case MSG_CREDIT: said_credit(w, body); break;
    case MSG_EVENT: said_event(w, body); break;
    case MSG_CLOSE: said_close(w, body); break;
    default: break; /* of the link, not of a channel */
    }
}

void witness_said(struct witness *w, struct view bytes)
{
    struct view message;
    int n;
    while ((n = grpcframe_next(&w->in, &bytes, &message)) > 0)
        said_one(w, message);
    assert(n == ERR_MORE);
}
