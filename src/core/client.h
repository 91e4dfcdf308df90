/*
 * An operator's connection: to the relay of the stored sign-in, or to the
 * agent on this machine. Brings the loop with it; the verbs add channels.
 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "base/ring.h"
#include "core/credential.h"
#include "core/paths.h"
#include "core/question.h"
#include "core/ticket.h"
#include "core/uplink.h"

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
#define CLIENT_BYTES (UPLINK_BYTES + PEER_SCRATCH_BYTES + 128 * 1024)

/*
 * Choose where to go. `server` names a stored sign-in, NULL the current one;
 * `local` means the agent of this machine. Returns OK, or an error with a
 * sentence in *why (not signed in, damaged file, ...).
 */
int client_init(struct client *c, struct arena *a, const char *version,
                const char *server, bool local, const struct client_ops *ops,
                void *ctx, struct text *why);

/* Begin to connect; `up` or `down` follows. Only when not connected. */
void client_connect(struct client *c);
/* From `down`: connect again in good time. */
void client_again(struct client *c);

/* Turn until c->done. Returns c->status. */
int client_run(struct client *c);

/* Leave client_run with this status, after what is queued was sent. */
void client_leave(struct client *c, int status);

struct mux *client_mux(struct client *c);

/* The exit status for a channel that was rejected or failed. */
int client_status(msg_code code);

/* ---- one question, one list of records --------------------------------------------- */

struct client_question {
    const char *version;
    const char *server; /* as in client_init */
    bool local;
    bool quiet; /* say nothing about failures */
    const char *method;
    void (*record)(void *ctx, struct view record);
    void *ctx;
};

/* Ask the relay, or the local agent; runs a client to its end. An exit
 * status. */
int client_ask(const struct client_question *q);

#endif
