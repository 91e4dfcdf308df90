/*
 * Levelled lines to one sink, logfmt: time, level, event and what the caller
 * adds. Base is pure, so the sink and the clock are given once by main.
 * Many lines of one event in a short time are cut off, and counted in the
 * next one (dropped=n). A message goes through text_safe: whoever said it, a line stays one line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/text.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

typedef void log_sink(struct view line);
typedef int64_t log_clock(void);

void log_init(log_sink *sink, log_clock *wall_ms, enum log_level level);

/* One line: event (stable name), then message for people; may be NULL. */
void log_line(enum log_level level, const char *event, const char *message);

#define log_error(event, message) log_line(LOG_ERROR, (event), (message))
#define log_warn(event, message)  log_line(LOG_WARN, (event), (message))
#define log_info(event, message)  log_line(LOG_INFO, (event), (message))
#define log_debug(event, message) log_line(LOG_DEBUG, (event), (message))

#endif
