/* What the tests of a port share: a folder of their own and patient reads.
 * Nothing here measures time; a test that hangs is ended by an alarm. */
#ifndef TESTS_UNIT_PORT_SCRATCH_H
#define TESTS_UNIT_PORT_SCRATCH_H

#include "port/port.h"

/* A new folder below /tmp, 0700, and an alarm that ends a test that hangs. */
int scratch_setup(void **state);
int scratch_teardown(void **state);
/* The path of `name` in that folder; one of sixteen buffers in turn. */
const char *scratch_path(const char *name);
/* Make a file with these bytes and this mode. */
void scratch_file(const char *name, const char *text, unsigned mode);

/* Sleep until the handle is ready; returns the flags. */
uint8_t scratch_ready(int handle, uint8_t want);
/* Read until `needle` was seen (true) or the stream ended. Everything is
 * kept, as a string, in scratch_seen, up to its size. */
bool scratch_read_until(int handle, const char *needle);
/* Read to the end; the code that ended it. */
int scratch_read_all(int handle);
extern char scratch_seen[64 * 1024];
/* Send all of it, waiting as needed. */
void scratch_send(int handle, struct view data);
/* Wait for the end of this child. */
int scratch_reap(int pid, int *signal);

/* How many handles this process has open. */
int scratch_handles(void);

#endif
