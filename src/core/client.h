/*
 * An operator's connection: to the relay of the stored sign-in, or to the
 * agent on this machine. Brings the loop with it; the verbs add channels.
 *
 * A token comes to its end; so before a connection, and when the relay refuses
 * it, the sign-in is renewed (core/renew.h) on a link without a token, as a
 * guest. On a link that is in use it is renewed in time for the next one.
 *
 *     connect --> token good? --yes--> link with token --> up
 *                   | no                  ^    | refused: CODE_AUTH
 *                   v                     |    v
 *                 link as guest --> renewed    link as guest ...
 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "base/ring.h"
#include "core/credential.h"
#include "core/paths.h"
#include "core/question.h"
#include "core/renew.h"
#include "core/ticket.h"
#include "core/trust.h"
#include "core/uplink.h"
#include "core/where.h"

struct client_ops {
    /* We are in: open channels. */
    void (*up)(void *ctx);
    /* No connection, or no longer. `fatal`: trying again cannot help; else
     * client_again does it. The channels were told before. */
    void (*down)(void *ctx, const char *why, bool fatal);
    /* As in uplink_ops. NULL: the channels cannot be opened again, so a link
     * is not given up for another while it may recover. */
    void (*doubt)(void *ctx, bool yes);
};

struct client {
    struct paths paths;
    struct arena arena;
    struct loop loop;
    struct uplink uplink;
    struct span scratch;
    struct credential server; /* unused when local */
    char host[256];
    uint16_t port;
    bool local;
    bool guest;       /* the link is, or is to be, without a token */
    bool guest_only;  /* it never has one: only to sign in */
    bool expired;     /* the relay took our token no more */
    bool renewed;     /* since a token was taken last */
    msg_code refused; /* why the relay did not let us in */
    struct renew renew;
    int renewing;            /* timers: a link in use renews; */
    int settled;             /* the guest's link goes */
    enum renew_end renewal;  /* how that ended */
    uint32_t retry_after_ms; /* as the relay asks */
    int ping;                /* timers: an idle link must be heard; */
    int local_again;         /* the agent here may come back */
    bool done;               /* leave client_run */
    int status;              /* of the verb */
    msg_hello hello;
    struct link_credential credential;
    char why[320];
    const struct client_ops *ops;
    void *ctx;
};

/* Bytes of arena a client takes, beside what the verb carves itself. */
#define CLIENT_BYTES \
    (UPLINK_BYTES + PEER_SCRATCH_BYTES + QUESTION_RING + 128 * 1024)

/*
 * Choose where to go. Returns OK, or an error with a sentence in *why (not
 * signed in, damaged file, ...).
 */
int client_init(struct client *c, struct arena *a, const char *version,
                const struct where *where, const struct client_ops *ops,
                void *ctx, struct text *why);
/* The same as a guest: name, address and pin of `at` are used. */
int client_init_guest(struct client *c, struct arena *a, const char *version,
                      const struct credential *at, const struct client_ops *ops,
                      void *ctx, struct text *why);

/* The relay's key is not known yet: authorities vouch for it, and `up` is told
 * with the key in server.pin. After client_init_guest; see core/trust.h. */
void client_trust(struct client *c, const struct trust *trust);

/* The stored sign-in that is meant; *all is filled, and wiped on failure.
 * NULL with a sentence. */
const struct credential *client_server(const struct paths *p,
                                       const struct where *where,
                                       struct credentials *all,
                                       struct text *why);

/* Begin to connect; `up` or `down` follows. Only when not connected. */
void client_connect(struct client *c);
/* From `down`: connect again in good time. */
void client_again(struct client *c);

/* Turn until c->done. Returns c->status. */
int client_run(struct client *c);

/* Leave client_run with this status, after what is queued was sent. */
void client_leave(struct client *c, int status);

struct mux *client_mux(struct client *c);

/* The exit status for a channel that was rejected or failed; and for `down`:
 * the relay may have refused us. */
int client_status(msg_code code);
int client_down_status(const struct client *c);

/* API keys in the environment are for others: say so, once. */
void client_note_keys(void);

/* ---- one question, one list of records --------------------------------------------- */

struct client_question {
    const char *version;
    struct where where;
    bool quiet; /* say nothing about failures */
    const char *method;
    struct view request; /* of the method's own; empty: none */
    void (*record)(void *ctx, struct view record);
    void *ctx;
};

/* Ask the relay, or the local agent; runs a client to its end. An exit
 * status. */
int client_ask(const struct client_question *q);

#endif
