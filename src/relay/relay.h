/*
 * The relay: listens, lets machines and operators in, and routes channels
 * between them. One thread, one loop; a connection's memory comes from a
 * fixed set, and when the set is empty nobody new is accepted.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/arena.h"
#include "core/peer.h"
#include "core/rpc.h"
#include "relay/access.h"
#include "relay/api.h"
#include "relay/badge.h"
#include "relay/claim.h"
#include "relay/follow.h"
#include "relay/forwarded.h"
#include "relay/keys.h"
#include "relay/may.h"
#include "relay/registry.h"
#include "relay/route.h"
#include "relay/store.h"
#include "relay/web.h"
#include "relay/strangers.h"
#include "transport/listen.h"

#define PROXY_FROM_MAX 8 /* addresses that a proxy may come from */

struct relay;

/* One connection: who it is, once that is known. */
struct conn {
    struct peer peer;
    struct relay *relay;
    struct conn *next_free;
    uint32_t serial;       /* tells the store's late answers apart */
    struct port_addr from; /* the caller; behind a proxy, who that says */
    struct forwarded forwarded;
    struct machine *machine; /* machines that are in */
    uint8_t key[32];         /* machines: the key that was proven */
    uint64_t challenged_ms;  /* its Proof was made after this; loop's clock */
    struct holding hold;
    enum may_kind kind;
    bool admitted;       /* welcome was said; before that a stranger */
    char user[NAME_CAP]; /* operators */
    char person_id[UUID_CAP];
    char token_id[UUID_CAP];
    char family[UUID_CAP];
    enum store_token_kind signed_by;
    char fleet_id[UUID_CAP];
    enum store_role role;
    uint32_t scopes;          /* API keys */
    uint8_t token[32];        /* its SHA-256: asked about again */
    int64_t ends_ms;          /* of the sign-in, Unix time; 0: never */
    int until;                /* timer: the sign-in's end, or the guest's */
    uint32_t stranger;        /* its place among them; 0: it is none */
    uint64_t leaves_ms;       /* guests: their time is over; loop's clock */
    uint64_t asked_ms;        /* guests: an answer waits since then */
    bool check;               /* its sign-in is to be asked about again */
    uint32_t routes;          /* asked for by it, and not yet over */
    struct store_facts facts; /* machines: what Hello said */
};

struct relay_cfg {
    const char *folder;            /* state */
    const char *name;              /* DNS name for its own certificate */
    const char *certificate, *key; /* files; NULL: its own certificate */
    const char *proxy_certificate; /* file; NULL: no proxy */
    struct port_addr proxy;        /* where the proxy comes in, */
    struct port_addr proxy_from[PROXY_FROM_MAX]; /* and from where; */
    size_t proxy_from_count;                     /* 0: from loopback */
    struct proxies trusted; /* who may say for whom he speaks */
    const char *version;
    struct port_addr grpc;
    struct port_addr api;
    const char *url;  /* of the pages; NULL: made of what follows */
    const char *host; /* by which others find this machine: in its own
                         certificate as well */
    uint32_t conns_max;
};

struct relay {
    struct arena arena;
    struct loop loop;
    struct keys keys;
    struct store store;
    struct registry registry;
    struct access access;
    struct follow follow;
    struct loop_job follow_job;
    struct claims claims;
    struct routes routes;
    struct rpcs rpcs;
    struct rpcs guest_rpcs; /* guests cannot take the places of others */
    struct api api;
    struct web web;
    struct conn *conns;
    uint8_t *conns_mem;  /* PEER_CARVE_BYTES for each */
    struct conn *free;   /* used before, and free now */
    uint32_t conns_used; /* those above were never touched */
    uint32_t conns_max;
    uint32_t conns_count;
    uint32_t guests; /* of them */
    struct strangers strangers;
    struct span scratch;
    struct link_host host;
    struct link_host proxy_host; /* connections that a proxy brings */
    struct badges badges;
    struct store_who owner; /* of this relay: first user, first fleet */
    struct listener listener;
    struct listener proxy_listener;
    struct port_addr proxy_from[PROXY_FROM_MAX];
    size_t proxy_from_count;
    struct proxies trusted;
    uint16_t grpc_port;  /* as bound */
    uint16_t proxy_port; /* 0: no proxy */
    uint16_t api_port;
    struct loop_job store_later;
    int store_again; /* timers */
    int forget;      /* what is over */
    int sweep;       /* routes that wait for a machine */
    int drain;
    int look; /* at certificates */
    bool leaving;
    bool done;
};

size_t relay_bytes(uint32_t conns_max);

/* Open everything: keys, store, tables. A sentence in *why on failure. */
int relay_init(struct relay *r, struct span memory, const struct relay_cfg *cfg,
               struct text *why);

/* Listen; from now on callers queue until relay_run. */
int relay_listen(struct relay *r, const struct relay_cfg *cfg,
                 struct text *why);

/* Turn until told to leave, then say good-bye to everybody. */
void relay_run(struct relay *r);

/* Ask the store and wait for the answer: before the loop runs. */
int relay_ask_now(struct store *s, const struct store_ask *ask,
                  struct store_answer *out);

#endif
