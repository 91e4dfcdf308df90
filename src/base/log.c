/* Log lines; see log.h. */
#include "base/log.h"

#include <stddef.h>

#define LINE_CAP   1024
#define EVENTS_MAX 32 /* kinds that are counted at a time */
#define LINES_WARN 10 /* of one kind in a window, */
#define LINES_INFO 50 /* below a warning */
#define WINDOW_MS  10000

static struct {
    log_sink *sink;
    log_clock *clock;
    enum log_level level;
} state;

/* One kind of event in the present window. */
struct tally {
    const char *event; /* NULL: free */
    int64_t since_ms;
    uint32_t lines;
    uint32_t dropped;
};

static struct tally tallies[EVENTS_MAX];

void log_init(log_sink *sink, log_clock *wall_ms, enum log_level level)
{
    state.sink = sink;
    state.clock = wall_ms;
    state.level = level;
    for (int i = 0; i < EVENTS_MAX; i++)
        tallies[i].event = NULL;
}

/* ---- no flood --------------------------------------------------------------- */

static struct tally *tally_of(const char *event)
{
    struct tally *oldest = &tallies[0];
    for (int i = 0; i < EVENTS_MAX; i++) {
        struct tally *t = &tallies[i];
        if (t->event != NULL && view_is(view_str(event), t->event))
            return t;
        if (t->event == NULL || t->since_ms < oldest->since_ms)
            oldest = t;
    }
    *oldest = (struct tally){.event = event};
    return oldest;
}

/* May this line be written? *dropped is how many of its kind were not. */
static bool admit(const char *event, uint32_t lines_max, int64_t now_ms,
                  uint32_t *dropped)
{
    struct tally *t = tally_of(event);
    *dropped = 0;
    if (now_ms - t->since_ms >= WINDOW_MS || now_ms < t->since_ms) {
        *dropped = t->dropped;
        t->since_ms = now_ms;
        t->lines = t->dropped = 0;
    }
    if (t->lines >= lines_max) {
        t->dropped++;
        return false;
    }
    t->lines++;
    return true;
}

void log_line(enum log_level level, const char *event, const char *message)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char buf[LINE_CAP];
    struct text t;
    uint32_t dropped = 0;
    if (state.sink == NULL || level > state.level)
        return;
    int64_t now_ms = state.clock();
    uint32_t lines_max = level <= LOG_WARN ? LINES_WARN : LINES_INFO;
    if (level < LOG_DEBUG && !admit(event, lines_max, now_ms, &dropped))
        return;
    TEXT_OF(&t, buf);
    text_str(&t, "time=");
    text_time(&t, now_ms);
    text_join(&t, " level=", names[level], " event=", event, NULL);
    if (dropped > 0) {
        text_str(&t, " dropped=");
        text_u64(&t, dropped);
    }
    if (message != NULL) {
        char safe[LINE_CAP];
        struct text m;
        TEXT_OF(&m, safe);
        for (struct view v = view_str(message); v.len > 0;
             v = view_from(v, 1)) {
            if (v.ptr[0] == '"' || v.ptr[0] == '\\')
                text_char(&m, '\\');
            text_char(&m, (char)v.ptr[0]);
        }
        text_str(&t, " msg=\"");
        text_safe(&t, text_done(&m)); /* a line stays one line */
        text_char(&t, '"');
    }
    state.sink(text_done(&t));
}
