/*
 * Answers of kind RPC: one method, a list of records on stream 0, each
 * behind its length as a varint, then Close. Records are made when there is
 * room for them, so a list may be longer than any buffer.
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

struct rpc {
    struct chan chan;
    struct ring ring;
    rpc_record *record;
    void *ctx;
    char of[RPC_OF_CAP];
    uint32_t at;
    bool used;
    bool complete; /* the last record is in the ring */
};

#define RPC_RING       (16 * 1024)
#define RPC_RECORD_MAX 2048
#define RPC_PER_LINK   4 /* questions of one link answered at once */

struct rpcs {
    struct rpc *slots;
    uint32_t cap;
};

void rpcs_init(struct rpcs *r, struct arena *a, uint32_t cap);

/* Accept the channel and answer it with these records. `of` is copied. */
void rpc_answer(struct rpcs *r, struct mux *m, const msg_open *open,
                const char *of, rpc_record *record, void *ctx);

/* It was done, and there is nothing to tell. */
void rpc_done(struct rpcs *r, struct mux *m, const msg_open *open);

/* What an Open asks for: OK, or ERR_PROTO, with "" as the method. */
struct rpc_request {
    char method[40];
    msg_call call;
};
int rpc_read(struct view params, struct rpc_request *out);

/* Encode one record with its length in front; for rpc_record functions. */
int rpc_encode(struct span out, const pb_msgdesc_t *fields, const void *msg);

#endif
