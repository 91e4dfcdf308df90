/* Small text files of the system (/proc, /sys, /etc), without stdio. */
#ifndef PORT_LINUX_SLURP_H
#define PORT_LINUX_SLURP_H

#include "port/port.h"

/* Called with each line, without its line feed; false ends the walk. */
typedef bool slurp_fn(void *ctx, struct view line);

/* Walk the lines of a file of any length. Lines above 4 KiB come in parts.
 * A file that cannot be read has no lines. */
void slurp_lines(const char *path, slurp_fn *fn, void *ctx);

/* The first line, trimmed, as a string; false (and an empty string) when
 * the file cannot be read. */
bool slurp_first(const char *path, char *out, size_t cap);

/* The number at the front of a file, or `other`. */
uint64_t slurp_u64(const char *path, uint64_t other);

/* Skip blanks; take the digits at the front of *v. */
uint64_t slurp_number(struct view *v);

#endif
