/* Log lines; see log.h. */
#include "base/log.h"

#include <stddef.h>

#define LINE_CAP 1024

static struct {
    log_sink      *sink;
    log_clock     *clock;
    enum log_level level;
} state;

void log_init(log_sink *sink, log_clock *wall_ms, enum log_level level)
{
    state.sink = sink;
    state.clock = wall_ms;
    state.level = level;
}

void log_line(enum log_level level, const char *event, const char *message)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    char buf[LINE_CAP];
    struct text t;
    if (state.sink == NULL || level > state.level)
        return;
    TEXT_OF(&t, buf);
    text_str(&t, "time=");
    text_time(&t, state.clock());
    text_join(&t, " level=", names[level], " event=", event, NULL);
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
