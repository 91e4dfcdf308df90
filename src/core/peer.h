/*
 * A link in the loop: its handle, its row, its deadlines, and one push at the
 * end of a turn however many channels asked for it. Agent, relay and tool
 * hold their connections through this.
 */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include "core/link.h"
#include "limits.h"
#include "transport/loop.h"

struct peer {
    struct link link;
    struct loop *loop;
    struct link_mem mem;
    struct span scratch; /* shared receive space */
    int handle;          /* -1: free */
    int row;
    uint64_t idle_ms; /* silence that ends the link; 0: for ever */
    struct loop_job push;
    uint64_t heard_ms; /* when something came last */
    int timer;         /* handshake, silence, or the end */
    void (*over)(void *ctx, const char *why);
    void *ctx;
};

#define PEER_SCRATCH_BYTES (64 * 1024)

/* Memory for one peer out of an arena, and how much that takes at most. */
#define PEER_CARVE_BYTES                                                  \
    (WIRE_TLS_BYTES + WIRE_OUT_BYTES + WIRE_H2_BYTES + WIRE_FRAME_BYTES + \
     LINK_CONTROL_BYTES + 5 * 4096)
struct link_mem peer_carve(struct arena *a, bool tls);

/* Once per peer, before the first connection. */
void peer_init(struct peer *p, struct loop *loop, const struct link_mem *mem,
               struct span scratch);

/*
 * Start on a connected handle, which is the peer's from now on. `over` is
 * called once, when the handle is closed and the link freed; `why` is "" for
 * an orderly end. Returns OK, or an error with the handle closed and no call.
 */
int peer_dialed(struct peer *p, int handle, const struct tls_client_cfg *tls,
                const char *authority, const struct link_credential *credential,
                const struct link_ops *ops,
                void (*over)(void *ctx, const char *why), void *ctx);
int peer_accepted(struct peer *p, int handle, const struct tls_server_cfg *tls,
                  const struct link_host *host, uint32_t channels_max,
                  uint64_t idle_ms, const struct link_ops *ops,
                  void (*over)(void *ctx, const char *why), void *ctx);

bool peer_busy(const struct peer *p);

/* There is something to send: the owner's link_ops.wake leads here. */
void peer_wake(struct peer *p);

/* An orderly end; or at once, with a reason. `over` follows in a later
 * step. */
void peer_end(struct peer *p);
void peer_fail(struct peer *p, int err, const char *why);

/* The handshake must be over within so many ms from now. */
void peer_limit(struct peer *p, uint64_t ms);

/* A free peer gives its memory back to the system until it is used again. */
void peer_release(struct peer *p);

/* Close it now, without `over`; the channels are told. Not from inside one
 * of this peer's own callbacks. Harmless when it is free. */
void peer_drop(struct peer *p);

#endif
