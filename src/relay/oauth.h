/*
 * The OAuth 2.0 authorization server for the relay's own users, apart from
 * how it is asked: the device grant (RFC 8628), refresh with rotation and
 * reuse detection (RFC 6749, 6; RFC 9700, 4.14.2) and revocation (RFC 7009).
 * HTTP (relay/api_oauth.c) and Mesh ("auth.*") are two faces of it.
 *
 *   client          oauth                        store
 *     | device        | draws two codes            |
 *     |-------------->|--------------------------->| DEVICE_MAKE
 *     | poll          | draws two tokens           |
 *     |-------------->|--------------------------->| DEVICE_POLL
 *     |<--------------| gives them away, or wipes  |
 *
 * Every question is answered by a call, later, exactly once, never from
 * inside the asking. What is on its way has a place in a fixed pool, which
 * holds the secrets until the store said yes; then they are given away and
 * wiped. The store sees hashes only.
 */
#ifndef RELAY_OAUTH_H
#define RELAY_OAUTH_H

#include "limits.h"
#include "port/port.h"
#include "relay/throttle.h"

struct store_ask;
struct store_ended;

#define OAUTH_PENDING    64 /* questions on their way */
#define OAUTH_ACCESS_MS  (INT64_C(3600) * 1000)
#define OAUTH_REFRESH_MS (INT64_C(30) * 24 * 3600 * 1000)
#define OAUTH_DEVICE_MS  (INT64_C(900) * 1000)
#define OAUTH_INTERVAL_S 5
#define OAUTH_SCOPE      "workspace:access"

#define OAUTH_TOKEN_CAP  56  /* "cmdop_" or "clitr_", 43 characters, end */
#define OAUTH_DEVICE_CAP 48  /* 43 characters, end */
#define OAUTH_USER_CAP   10  /* "BCDF-GHJK", end */
#define OAUTH_URL_CAP    280 /* of a page of ours */

#define OAUTH_GRANT_DEVICE  "urn:ietf:params:oauth:grant-type:device_code"
#define OAUTH_GRANT_REFRESH "refresh_token"

/* How it was answered. All but the first are words of the RFCs. */
enum oauth_error {
    OAUTH_OK,
    OAUTH_PENDING_YET, /* authorization_pending */
    OAUTH_SLOW_DOWN,
    OAUTH_ACCESS_DENIED,
    OAUTH_EXPIRED_TOKEN,
    OAUTH_INVALID_GRANT,
    OAUTH_INVALID_REQUEST,
    OAUTH_UNSUPPORTED_GRANT_TYPE,
    OAUTH_UNAVAILABLE,  /* temporarily_unavailable */
    OAUTH_SERVER_ERROR, /* the store has a fault */
};

/* "authorization_pending", ...; "" for OAUTH_OK. Lives for ever. */
const char *oauth_error_str(enum oauth_error e);

/* What a client says of itself: untrusted, cleaned and cut by the store. */
struct oauth_client {
    struct view name; /* empty: "CMDOP CLI" */
    struct view version;
    struct view host;
    struct view platform;
    const struct port_addr *from;
};

/* For a client that wants to sign somebody in. */
struct oauth_device {
    char device_code[OAUTH_DEVICE_CAP];
    char user_code[OAUTH_USER_CAP];
    char verification_uri[OAUTH_URL_CAP];
    char verification_uri_complete[OAUTH_URL_CAP];
    uint32_t expires_s;
    uint32_t interval_s;
};

/* For one who is signed in. */
struct oauth_tokens {
    char access_token[OAUTH_TOKEN_CAP];
    char refresh_token[OAUTH_TOKEN_CAP];
    uint32_t expires_s; /* of the access token */
    char user_id[UUID_CAP];
    char user_name[NAME_CAP];
    char login[64];
    char email[128];
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
};

/* Valid during the call; wiped behind it. */
struct oauth_answer {
    enum oauth_error error;
    const char *description; /* a sentence; "" when all is well */
    uint32_t retry_s;        /* OAUTH_UNAVAILABLE: come again after this */
    union {
        struct oauth_device device;
        struct oauth_tokens tokens;
    } u; /* OAUTH_OK only */
};

/* `tag` is the asker's, to notice that it is gone meanwhile. */
typedef void oauth_fn(void *ctx, uint32_t tag, const struct oauth_answer *a);

struct oauth_cfg {
    /* Ask the store, as relay/ask.h does. */
    int (*ask)(void *ctx, const struct store_ask *q);
    /* Tokens were ended: whoever serves streams cuts those of them. May be
     * NULL. */
    void (*ended)(void *ctx, const struct store_ended *e);
    void *ctx;
    const char *url; /* where people's browsers find us: "https://h:8000",
                        without a path; lives as long as we */
};

struct oauth_pending;

struct oauth {
    struct oauth_cfg cfg;
    struct throttle *throttle;
    struct oauth_pending *pending; /* OAUTH_PENDING of them */
    uint32_t count;                /* of those, in use */
};

/* Carve the pool. `throttle` is shared with the pages. */
void oauth_init(struct oauth *o, struct arena *a, struct throttle *throttle,
                const struct oauth_cfg *cfg);

/* Bytes that oauth_init carves at most. */
size_t oauth_bytes(void);

/*
 * The questions. OK: fn will be called. Otherwise it will not: ERR_FULL, too
 * many are on their way, or the store's queue is full; ERR_CLOSED, there is
 * no store. oauth_refused makes an answer of that. An address that asked for
 * too many device codes is answered OAUTH_UNAVAILABLE.
 */
int oauth_device(struct oauth *o, const struct oauth_client *c, oauth_fn *fn,
                 void *ctx, uint32_t tag);
/* Tokens for a device code, or why not yet. */
int oauth_poll(struct oauth *o, struct view device_code, oauth_fn *fn,
               void *ctx, uint32_t tag);
/* New tokens for a refresh token. A token used twice ends its family. */
int oauth_refresh(struct oauth *o, struct view refresh_token,
                  const struct port_addr *from, oauth_fn *fn, void *ctx,
                  uint32_t tag);
/* Give a token back, of any kind, and with it its family. OAUTH_OK also for
 * one that nobody knows (RFC 7009, 2.2). */
int oauth_revoke(struct oauth *o, struct view token, oauth_fn *fn, void *ctx,
                 uint32_t tag);

/* An address without its port, for people and the record. */
void oauth_address(const struct port_addr *from, char *out, size_t cap);

/* The answer to give when one of these could not even be asked. */
void oauth_refused(int err, struct oauth_answer *out);

/*
 * A user code as it is kept, from what was typed: small letters, blanks and
 * hyphens do not matter. OK, or ERR_RANGE: it cannot be one.
 */
int oauth_user_code(struct view typed, char out[OAUTH_USER_CAP]);

#endif
