/*
 * nghttp2 sessions as we want them: their memory inside a struct alloc, small
 * tables, wide windows, and bounds on everything a peer could pile up. What a
 * session does is said by the callbacks; see h2.c.
 */
#ifndef TRANSPORT_H2SETUP_H
#define TRANSPORT_H2SETUP_H

#include <nghttp2/nghttp2.h>

#include "transport/alloc.h"

/* The most bytes of names and values that we take in one header block. */
#define H2SETUP_HEADERS_MAX 8192

/* Make callbacks and options, the only use of the heap. Once; more calls do
 * nothing. OK or ERR_LIMIT. */
int h2setup_prepare(void (*set)(nghttp2_session_callbacks *c));

/*
 * A session with its first SETTINGS and connection window queued.
 * user   goes to every callback
 * Returns 0, or an error of nghttp2; *out may then be NULL or a session to
 * delete.
 */
int h2setup_session(nghttp2_session **out, bool is_server, struct alloc *a,
                    void *user);

#endif
