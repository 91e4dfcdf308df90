/*
 * The one link of a program to its relay, and the ways back to it. Agent and
 * tool hold theirs through this; what is different about them comes as
 * arguments.
 *
 *           connect/again        handshake         welcomed
 *     IDLE --------------> dial -----------> next ---------> live
 *                            ^                                |
 *                            `----- lost, or in doubt --------'
 *
 * A dead path says nothing: packets vanish, and when it is back TCP waits for
 * its next retransmission, which may be half a minute away. So while somebody
 * cares (uplink_attend), a link on which nothing is heard for a second is
 * asked by a Ping; without an answer, and while TCP confirms nothing either (a
 * Ping may wait behind a flood), a second connection is raced against it.
 * Every RACE_MS a fresh dial begins, whose first packet leaves at once; the
 * first that gets through the handshake replaces the old link, unless the Pong
 * comes meanwhile. The same haste, without an old link, follows a loss. After
 * a minute, and where nobody cares, it gives way to the usual back-off with
 * jitter, so that the thousands who come back after a long time are spread.
 *
 * docs/decisions/0009 tells why.
 */
#ifndef CORE_UPLINK_H
#define CORE_UPLINK_H

#include "base/backoff.h"
#include "core/peer.h"
#include "transport/dial.h"

#define UPLINK_DIALS 6 /* one by name, the others live a second each */

struct uplink_ops {
    /* A link is open; channels of an older one were told that it is gone. */
    void (*up)(void *ctx, const msg_welcome *w);
    /* There is no link: it was lost, or the attempt failed. Give up, or call
     * uplink_again. `fatal`: trying again cannot help. */
    void (*down)(void *ctx, const char *why, bool fatal);
    /* As in link_ops; `down` follows a refusal. */
    void (*refused)(void *ctx, const msg_refuse *r);
    void (*drain)(void *ctx, const msg_drain *d); /* may be NULL */
    void (*open)(void *ctx, const msg_open *open, struct view params);
    void (*gone)(void *ctx, uint32_t number, const msg_close *end);
    /* A link that was open is no more: nothing that came by it is to be
     * answered. Before `up` or `down`; may be NULL, as `gone` may be. */
    void (*lost)(void *ctx, struct mux *m);
    /* The link gives no answer and another one is tried; or (false) it has
     * answered. `up`, or `lost` and `down`, end the doubt as well. May be
     * NULL. */
    void (*doubt)(void *ctx, bool yes);
};

struct trust;
struct uplink;

/* One of two links: live, on its way, or free. */
struct uplink_side {
    struct peer peer;
    struct uplink *uplink;
    bool refused; /* for good */
};

struct uplink_dial {
    struct dial dial;
    struct uplink *uplink;
};

struct uplink {
    struct loop *loop;
    struct uplink_side side[2];
    struct uplink_side *live; /* NULL: none is open */
    struct uplink_side *next; /* in its handshake; NULL: none */
    struct uplink_side *last; /* live, or live until now */
    struct uplink_dial dial[UPLINK_DIALS];
    const struct uplink_ops *ops;
    void *ctx;
    /* where, and as whom */
    const char *host;
    uint16_t port;
    const struct link_credential *credential;
    const struct trust *trust; /* NULL: pinned, or local */
    struct port_addr addr;     /* where the last link led */
    struct port_addr next_addr;
    bool has_addr;
    struct tls_ticket ticket;
    bool has_ticket;
    bool local; /* no relay: an agent on this machine */
    /* trying */
    int try; /* timer */
    struct backoff backoff;
    uint64_t tried_ms; /* the last attempt began */
    uint64_t named_ms; /* the last one with a look-up */
    uint64_t haste_ms; /* until then an attempt every RACE_MS */
    uint32_t turn;     /* of the dials */
    /* doubting */
    int watch;          /* timer */
    bool watching;      /* it is armed */
    bool asked;         /* a Ping was sent */
    bool racing;        /* and found no answer */
    bool renewing;      /* another link is wanted; see uplink_renew */
    uint64_t asked_ms;  /* when; its token as well */
    uint64_t attend_ms; /* somebody cares until then */
    uint64_t rtt_ms;    /* of the last answer */
};

/* Bytes of arena for uplink_init, at most. */
#define UPLINK_BYTES (2 * PEER_CARVE_BYTES)

/*
 * Once. host and credential live as long as the uplink, and may be filled in
 * later. `local`: see uplink_local; one link's memory is carved then. The
 * waits between attempts are 0 to min_ms, doubled up to max_ms. ERR_FULL when
 * the loop has no timers left.
 */
struct uplink_cfg {
    const char *host;
    uint16_t port;
    bool local;
    const struct link_credential *credential;
    const struct trust *trust; /* asked while credential->pin is NULL */
    uint32_t min_ms, max_ms;
};
int uplink_init(struct uplink *u, struct loop *loop, struct arena *a,
                struct span scratch, const struct uplink_cfg *cfg,
                const struct uplink_ops *ops, void *ctx);

/* Begin to connect now; `up` or `down` follows, never before this returns. */
void uplink_connect(struct uplink *u);
/* The same on a connected local handle. OK, or an error and no call. */
int uplink_local(struct uplink *u, int handle);
/* From `down`, or later: try again in good time, and not within wait_ms. */
void uplink_again(struct uplink *u, uint32_t wait_ms);

/* Replace a live link by a fresh one, which proves itself anew: `up` follows,
 * and until then the old one serves. Without a live link the next one will do,
 * and nothing happens. */
void uplink_renew(struct uplink *u);

/* Somebody works through this link: for the next half minute it is watched
 * closely, and its loss is mended in haste. Costs nothing to say often. */
void uplink_attend(struct uplink *u);
/* What was sent at `since_ms` should have been answered by now: without a word
 * since then, the link is asked. Now: it is asked anyway. */
void uplink_doubt(struct uplink *u, uint64_t since_ms);
/* For the heartbeats of a link that nobody uses: it is asked only if TCP found
 * nobody either, so a path that is alive costs no wake-up. */
void uplink_check(struct uplink *u);

bool uplink_is_up(const struct uplink *u);
/* Of the live link, or of the one that was live last. */
struct link *uplink_link(struct uplink *u);
struct mux *uplink_mux(struct uplink *u);

/* Close what there is at once, without `down`, so that it may be connected
 * anew; the channels are told. Not from inside a callback of the link. */
void uplink_drop(struct uplink *u);

/* An orderly end, without `down`; until then it is busy. */
void uplink_end(struct uplink *u);
bool uplink_busy(const struct uplink *u);

#endif
