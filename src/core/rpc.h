/*
 * Answers of kind RPC: one method, a list of records on stream 0, each
 * behind its length as a varint, then Close. Records are made when there is
 * room for them, so a list may be longer than any buffer.
 *
 * Who knows the answer gives it at once (rpc_answer, rpc_done). Who must ask
 * somebody first, a store on a disk, begins (rpc_begin), keeps the reference
 * and answers when he can (rpc_put, rpc_end, rpc_fail). The asker hears
 * Accept at once. If he takes the question back or his link is lost, its
 * place is free for the next and the reference leads nowhere.
 */
#ifndef CORE_RPC_H
#define CORE_RPC_H

#include "base/arena.h"
#include "base/ring.h"
#include "core/mux.h"

/*
 * Write record number `at` (counted from 0) into `out`: its length; 0 when
 * there are no more; ERR_NOT_FOUND to leave this number out. `of` is whom
 * the answer is for.
 */
typedef int rpc_record(void *ctx, const char *of, uint32_t at, struct span out);

#define RPC_OF_CAP 72 /* an id of whatever it is about */

/* A question that was begun; 0 is none. Old ones are noticed, so it may be
 * kept wherever a number fits. */
typedef uint32_t rpc_ref;

#define RPC_NOTE_BYTES 384 /* what a question keeps between two steps */

/* There is room again. Only ask or put from here. */
typedef void rpc_more(void *ctx, rpc_ref ref);

struct rpc {
    struct chan chan;
    struct ring ring;
    rpc_record *record; /* NULL: the answer comes later */
    void *ctx;
    char of[RPC_OF_CAP];
    uint32_t at;
    uint32_t serial; /* of its present question */
    uint8_t index;   /* which place it is, from 1 */
    bool used;
    bool complete;  /* the last record is in the ring */
    rpc_more *more; /* for whoever met a full ring */
    void *more_ctx;
    uint64_t note[RPC_NOTE_BYTES / sizeof(uint64_t)];
};

#define RPC_RING       (16 * 1024)
#define RPC_RECORD_MAX 2048
#define RPC_PER_LINK   4 /* questions of one link answered at once */

struct rpcs {
    struct rpc *slots;
    uint32_t cap; /* RPC_PLACES_MAX at most */
};

#define RPC_PLACES_MAX 255

void rpcs_init(struct rpcs *r, struct arena *a, uint32_t cap);

/* Accept the channel and answer it with these records. `of` is copied. */
void rpc_answer(struct rpcs *r, struct mux *m, const msg_open *open,
                const char *of, rpc_record *record, void *ctx);

/* It was done, and there is nothing to tell. */
void rpc_done(struct rpcs *r, struct mux *m, const msg_open *open);

/* ---- answers that come later ---------------------------------------------- */

/* Take the question; 0: it was rejected, there is no place. */
rpc_ref rpc_begin(struct rpcs *r, struct mux *m, const msg_open *open);

/* Does anybody wait for the answer still? */
bool rpc_is_asked(const struct rpcs *r, rpc_ref ref);

/*
 * One more record. OK; ERR_FULL when there is no room for it now: nothing was
 * taken, and `more` is called once when it would fit; ERR_CLOSED when nobody
 * waits any more; ERR_TOO_BIG. `more` may be NULL where the answer is short.
 */
int rpc_put(struct rpcs *r, rpc_ref ref, const pb_msgdesc_t *fields,
            const void *msg, rpc_more *more, void *ctx);

/* RPC_NOTE_BYTES for whoever answers, zeros at first; NULL when nobody waits
 * any more. */
void *rpc_note(struct rpcs *r, rpc_ref ref);

/* That was all; or it failed. Harmless when nobody waits. */
void rpc_end(struct rpcs *r, rpc_ref ref);
void rpc_fail(struct rpcs *r, rpc_ref ref, msg_code code, const char *message,
              const char *remedy);

/* ---- what is asked ---------------------------------------------------------- */

/* What an Open asks for: OK, or ERR_PROTO, with "" as the method. */
struct rpc_request {
    char method[40];
    msg_call call;
};
int rpc_read(struct view params, struct rpc_request *out);

/* Encode one record with its length in front; for rpc_record functions. */
int rpc_encode(struct span out, const pb_msgdesc_t *fields, const void *msg);

#endif
