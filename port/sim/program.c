/*
 * The programs of a simulated host. Each is a function that does what it can
 * do now and remembers the rest in its struct proc; it is called whenever
 * bytes, room, a signal or its hour may have come.
 */
#include "port/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what they are made of ------------------------------------------------------- */

/* A signal ends who does not care. True: it is over. */
static bool ended_by_signal(struct proc *p)
{
    int sig = p->sig;
    p->sig = 0;
    if (sig != 0)
        proc_exit(p, 128 + sig, sig);
    return sig != 0;
}

static void note_said(struct view v)
{
    v = view_first(v, SAID_CAP - world->said_len);
    if (v.len > 0)
        memcpy(world->said + world->said_len, v.ptr, v.len);
    world->said_len += v.len;
}

/* Write what there is room for; returns the count. Nobody reads: SIGPIPE. */
static size_t put(struct proc *p, int stream, struct view v)
{
    struct flow *f = &world->flow[p->flow[p->is_tty ? 1 : stream]];
    if (!p->open[p->is_tty ? 1 : stream]) {
        proc_exit(p, 128 + 13, 13);
        return 0;
    }
    size_t n = flow_write(f, v, 0, 0);
    if (p->is_tty)
        note_said(view_first(v, n));
    return n;
}

static bool has_room(const struct proc *p, size_t n)
{
    return flow_room(&world->flow[p->flow[1]]) >= n;
}

static size_t take(struct proc *p, struct span buf)
{
    return flow_read(&world->flow[p->flow[0]], buf);
}

static bool input_over(const struct proc *p)
{
    return flow_is_over(&world->flow[p->flow[0]]);
}

static uint64_t arg_number(const struct proc *p, int i, uint64_t otherwise)
{
    return p->args[i][0] != '\0' ? strtoull(p->args[i], NULL, 10) : otherwise;
}

static const char *line_end(const struct proc *p)
{
    return p->is_tty ? "\r\n" : "\n";
}

/* ---- small ones -------------------------------------------------------------------- */

static void run_exit(struct proc *p)
{
    if (!ended_by_signal(p))
        proc_exit(p, (int)arg_number(p, 1, 0), 0);
}

static void run_true(struct proc *p)
{
    proc_exit(p, 0, 0);
}

/* "out" and "err" apart, then 7. */
static void run_both(struct proc *p)
{
    (void)put(p, 1, view_str("out\n"));
    (void)put(p, 2, view_str("err\n"));
    if (!p->ended)
        proc_exit(p, 7, 0);
}

static void run_echo(struct proc *p)
{
    for (int i = 1; i < 4 && p->args[i][0] != '\0' && !p->ended; i++) {
        if (i > 1)
            (void)put(p, 1, view_str(" "));
        (void)put(p, 1, view_str(p->args[i]));
    }
    if (!p->ended)
        (void)put(p, 1, view_str(line_end(p)));
    if (!p->ended)
        proc_exit(p, 0, 0);
}

static void run_sleep(struct proc *p)
{
    if (ended_by_signal(p))
        return;
    if (p->count == 0)
        p->count = world->now_us + arg_number(p, 1, 1) * 1000000;
    p->wake_us = p->count;
    if (p->count <= world->now_us)
        proc_exit(p, 0, 0);
}

/* Ends by KILL alone. */
static void run_stubborn(struct proc *p)
{
    int sig = p->sig;
    p->sig = 0;
    if (sig == 9)
        proc_exit(p, 128 + 9, 9);
}

static void run_cat(struct proc *p)
{
    uint8_t buf[4096];
    size_t n = 0;
    if (ended_by_signal(p))
        return;
    while (!p->ended && has_room(p, sizeof(buf)) &&
           (n = take(p, SPAN_ARRAY(buf))) > 0)
        (void)put(p, 1, view_of(buf, n));
    if (!p->ended && input_over(p))
        proc_exit(p, 0, 0);
}

/* How many bytes came, once they have all come. */
static void run_count(struct proc *p)
{
    uint8_t buf[4096] = {0};
    char line[32];
    size_t n;
    if (ended_by_signal(p))
        return;
    while ((n = take(p, SPAN_ARRAY(buf))) > 0)
        p->count += n;
    if (!input_over(p))
        return;
    snprintf(line, sizeof(line), "%llu\n", (unsigned long long)p->count);
    (void)put(p, 1, view_str(line));
    if (!p->ended)
        proc_exit(p, 0, 0);
}

/* ---- those that talk ---------------------------------------------------------------- */

/* Lines "0000000", "0000008", ...: each says its own offset. */
static void produce(struct proc *p, uint64_t total)
{
    char line[9];
    while (!p->ended && p->count < total && has_room(p, 8)) {
        snprintf(line, sizeof(line), "%07u\n", (unsigned)(p->count % 10000000));
        (void)put(p, 1, view_str(line));
        p->count += 8;
    }
}

static void run_producer(struct proc *p)
{
    uint64_t total = arg_number(p, 1, 8);
    if (ended_by_signal(p))
        return;
    produce(p, total);
    if (!p->ended && p->count >= total)
        proc_exit(p, (int)arg_number(p, 2, 0), 0);
}

/* A number every so many milliseconds, for ever. */
static void count_on(struct proc *p, uint64_t every_ms)
{
    char line[32];
    if (p->wake_us != NEVER)
        return;
    p->wake_us = world->now_us + every_ms * 1000;
    snprintf(line, sizeof(line), "%llu%s", (unsigned long long)++p->count,
             line_end(p));
    if (has_room(p, strlen(line)))
        (void)put(p, 1, view_str(line));
}

static void run_counter(struct proc *p)
{
    if (!ended_by_signal(p))
        count_on(p, arg_number(p, 1, 1000));
}

/* ---- one that listens as well --------------------------------------------------------- */

uint8_t sim_dictation(uint64_t i)
{
    return (uint8_t)('a' + (i * 7 + i / 23) % 23);
}

enum { SCRIBE_WRONG = 3, SCRIBE_SHORT = 4 };

static void hear(struct proc *p, uint64_t total)
{
    uint8_t byte;
    while (!p->ended && take(p, (struct span){&byte, 1}) == 1) {
        if (p->text_len >= total || byte != sim_dictation(p->text_len))
            proc_exit(p, SCRIBE_WRONG, 0);
        p->text_len++;
    }
    if (!p->ended && p->text_len < total && input_over(p))
        proc_exit(p, SCRIBE_SHORT, 0);
}

/* scribe IN OUT STATUS: hears IN bytes of the dictation and says OUT bytes
 * meanwhile. A wrong byte ends it, one too many as well. */
static void run_scribe(struct proc *p)
{
    uint64_t in = arg_number(p, 1, 0), out = arg_number(p, 2, 0);
    if (ended_by_signal(p))
        return;
    hear(p, in);
    if (!p->ended)
        produce(p, in == 0 ? out : out * p->text_len / in);
    if (p->ended || p->text_len < in || p->count < out ||
        (!p->is_tty && !input_over(p)))
        return;
    if (p->inner++ == 0) /* does more come? */
        p->wake_us = world->now_us + 50000;
    else if (p->wake_us == NEVER)
        proc_exit(p, (int)arg_number(p, 3, 0), 0);
}

/* ---- a shell --------------------------------------------------------------------------- */

enum inner {
    INNER_NONE,
    INNER_COUNTER,
    INNER_PRODUCER,
    INNER_HEAR,
    INNER_TELL /* `hear` was asked to say something; it goes on then */
};

/* What a plus makes `hear` say, and what a percent sign does: more than any
 * buffer between it and a screen holds. */
enum { TELL_BYTES = 16 * 1024, FLOOD_BYTES = 1536 * 1024 };

static void prompt(struct proc *p)
{
    p->inner = INNER_NONE;
    p->wake_us = NEVER;
    p->text_len = 0;
    (void)put(p, 1, view_str("$ "));
}

/* One line: `exit N`, `counter MS`, `producer N`, `hear`, `size`, or what to
 * say. */
static void obey(struct proc *p)
{
    char line[300], word[64] = "";
    uint64_t number = 0;
    p->text[p->text_len] = '\0';
    (void)sscanf(p->text, "%63s", word);
    if (p->text_len > strlen(word))
        number = strtoull(p->text + strlen(word) + 1, NULL, 10);
    p->count = 0;
    p->wake_us = NEVER;
    line[0] = '\0';
    if (strcmp(word, "exit") == 0) {
        proc_exit(p, (int)number, 0);
    } else if (strcmp(word, "counter") == 0) {
        p->inner = INNER_COUNTER;
        snprintf(p->args[3], sizeof(p->args[3]), "%llu",
                 (unsigned long long)(number > 0 ? number : 1000));
    } else if (strcmp(word, "producer") == 0) {
        p->inner = INNER_PRODUCER;
        snprintf(p->args[3], sizeof(p->args[3]), "%llu",
                 (unsigned long long)number);
    } else if (strcmp(word, "hear") == 0) {
        p->inner = INNER_HEAR;
    } else if (strcmp(word, "size") == 0) {
        snprintf(line, sizeof(line), "%u %u\r\n", p->rows, p->cols);
    } else if (word[0] != '\0') {
        snprintf(line, sizeof(line), "did %s\r\n", p->text);
    }
    (void)put(p, 1, view_str(line));
    if (!p->ended && p->inner == INNER_NONE)
        prompt(p);
}

static void interrupt(struct proc *p)
{
    (void)put(p, 1, view_str("^C\r\n"));
    if (!p->ended)
        prompt(p);
}

static void hear_key(struct proc *p, uint8_t k)
{
    if (world->heard_len < HEARD_CAP)
        world->heard[world->heard_len++] = k;
    (void)put(p, 1, view_of(&k, 1));
    if (p->ended || (k != '%' && k != '+'))
        return;
    p->inner = INNER_TELL;
    p->count = 0;
    snprintf(p->args[3], sizeof(p->args[3]), "%d",
             k == '%' ? FLOOD_BYTES : TELL_BYTES);
}

static void key(struct proc *p, uint8_t k)
{
    if (k == 0x03) {
        interrupt(p);
    } else if (p->inner == INNER_HEAR) {
        hear_key(p, k);
    } else if (p->inner != INNER_NONE) {
        return; /* what runs does not read */
    } else if (k == '\r' || k == '\n') {
        (void)put(p, 1, view_str("\r\n"));
        if (!p->ended)
            obey(p);
    } else if (p->text_len < sizeof(p->text) - 1) {
        p->text[p->text_len++] = (char)k;
        (void)put(p, 1, view_of(&k, 1));
    }
}

static void take_keys(struct proc *p)
{
    uint8_t k;
    while (!p->ended && p->inner != INNER_TELL && has_room(p, 512) &&
           take(p, (struct span){&k, 1}) == 1)
        key(p, k);
}

static void run_inner(struct proc *p)
{
    uint64_t n = arg_number(p, 3, 0);
    if (p->inner == INNER_COUNTER) {
        count_on(p, n);
    } else if (p->inner == INNER_PRODUCER) {
        produce(p, n);
        if (!p->ended && p->count >= n && has_room(p, 2))
            prompt(p);
    } else if (p->inner == INNER_TELL) {
        produce(p, n);
        if (p->ended || p->count < n)
            return;
        p->inner = INNER_HEAR;
        take_keys(p);
    }
}

static void run_shell(struct proc *p)
{
    if (p->sig == 2) { /* INT goes to what runs */
        p->sig = 0;
        interrupt(p);
    }
    if (p->ended || ended_by_signal(p))
        return;
    if (p->args[1][0] != '\x01') {
        p->args[1][0] = '\x01'; /* greeted */
        prompt(p);
    }
    take_keys(p);
    if (!p->ended)
        run_inner(p);
}

/* ---- the table ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    program_fn *step;
} PROGRAMS[] = {
    {"sh", run_shell},          {"cat", run_cat},
    {"count", run_count},       {"producer", run_producer},
    {"counter", run_counter},   {"echo", run_echo},
    {"both", run_both},         {"exit", run_exit},
    {"true", run_true},         {"sleep", run_sleep},
    {"stubborn", run_stubborn}, {"scribe", run_scribe},
};

program_fn *program_find(const char *name)
{
    for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++)
        if (strcmp(PROGRAMS[i].name, name) == 0)
            return PROGRAMS[i].step;
    return NULL;
}
