/*
 * Every size, once, with its reason. A board may lower those in #ifndef.
 * All memory is carved from these at start; a full pool refuses, it never
 * grows.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include "board.h"

/* ---- wire --------------------------------------------------------------- */

/* A DATA frame that fills one TLS record: 16384 less the HTTP/2 header. */
#define H2_DATA_MAX    (16384 - 9)
/* Largest payload of a Data frame so that the gRPC prefix (5), the Frame tag
 * and length (5) and the Data fields (30) still fit the DATA frame. */
#define DATA_MAX       (H2_DATA_MAX - 40)
/* Largest gRPC message we accept: an Open with arguments and environment. */
#define FRAME_MAX      (32 * 1024)
/* Largest arguments plus environment of one command. */
#define ARGS_MAX       (24 * 1024)
#define ARGS_COUNT_MAX 512
#define ENV_COUNT_MAX  64

#define PROTO_VERSION_MIN 1
#define PROTO_VERSION_MAX 1

/* ---- flow ---------------------------------------------------------------- */

/* Bytes a receiver takes per stream before it grants more. A bulk stream at
 * 1 GB/s over a 0.2 ms path needs 200 KB in flight. */
#define WINDOW_BULK  (256 * 1024)
/* Typed input; a paste larger than this waits. */
#define WINDOW_INPUT (64 * 1024)

/* ---- sessions ------------------------------------------------------------ */

#define SESSION_RING (1024 * 1024) /* the product's promise */
#ifndef SESSIONS_MAX
#define SESSIONS_MAX 64 /* the product's documented default */
#endif
#ifndef JOBS_MAX
#define JOBS_MAX 64 /* commands running at once */
#endif

/* ---- passwords ----------------------------------------------------------- */

/* One Argon2id computation: what OWASP's Password Storage Cheat Sheet asks
 * for, in the form that takes the least memory of those with two passes. A
 * board with little memory takes less, 4096 and 3 say, and never below what
 * its people can live with: the string tells what it was made with. */
#ifndef PWHASH_KIB
#define PWHASH_KIB 19456
#endif
#ifndef PWHASH_PASSES
#define PWHASH_PASSES 2
#endif
/* Computations at once, each with that memory in a child: more only wait for
 * the processor. */
#ifndef PORT_TASKS_MAX
#define PORT_TASKS_MAX 4
#endif

/* ---- time ---------------------------------------------------------------- */

#define HANDSHAKE_MS    10000 /* hello to welcome, both ends */
#define HEARTBEAT_MS    30000
#define OFFLINE_MS      90000 /* three heartbeats lost */
#define BACKOFF_MIN_MS  250
#define BACKOFF_MAX_MS  60000
#define STATUS_FRESH_MS 30000

/* ---- names --------------------------------------------------------------- */

#define PATH_CAP 512
#define NAME_CAP 64
#define UUID_CAP 37 /* 36 characters and the end */

#endif
