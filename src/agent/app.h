/*
 * The agent: one outbound link to its relay, a local socket, sessions and
 * commands, all in one loop. This file wires the machines together; each
 * has its own.
 */
#ifndef AGENT_APP_H
#define AGENT_APP_H

#include "agent/guard.h"
#include "agent/holder.h"
#include "core/agentfile.h"
#include "core/exec.h"
#include "core/identity.h"
#include "core/paths.h"
#include "core/rpc.h"
#include "core/pty.h"
#include "core/uplink.h"
#include "transport/listen.h"

#define LOCAL_MAX 16 /* connections on the local socket */
#define RPC_MAX   8

struct app;

struct local {
    struct peer peer;
    struct app *app;
};

struct app {
    struct paths paths;
    struct agentfile file;
    struct identity identity;
    struct arena arena;
    struct loop loop;
    struct sessions sessions;
    struct jobs jobs;
    struct rpcs rpcs;
    struct guard guard;
    struct span scratch;
    const char *version;
    /* outbound */
    struct uplink relay;
    int beat; /* timer */
    struct link_credential credential;
    struct holder holder;
    msg_hello hello;
    bool dials; /* keepers were found: the relay may know of us */
    bool connected;
    uint32_t retry_after_ms;
    int64_t connected_ms;
    int64_t started_ms;
    int64_t clock_ahead_ms;
    char trouble[320]; /* as long as a client shows it */
    /* local socket */
    struct listener listener;
    struct local locals[LOCAL_MAX];
    uint8_t *locals_mem;  /* PEER_CARVE_BYTES for each */
    uint32_t locals_used; /* those above were never touched */
    struct link_host host;
    /* daemon */
    uint64_t wakeups;
    bool leaving;
};

/* Bytes of memory an agent lives in. */
size_t app_bytes(void);

/* `paths`, `file` and `identity` are filled in; opens the local socket.
 * A sentence in *why on failure. */
int app_init(struct app *app, struct span memory, const char *version,
             struct text *why);

/* Turn until told to leave. */
void app_run(struct app *app);

#endif
