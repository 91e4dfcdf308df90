/*
 * The certificate that the relay shows, and how it becomes another one while
 * connections are open. A badge is certificate, key and the TLS sessions that
 * began with them; there are two places, so that a new one can be read while
 * handshakes still use the old. badges_look, once a minute and when asked:
 *
 *     files as they were       nothing
 *     a good new pair          into the other place; it is shown from now on
 *     anything else            a line in the log, once; the old stays
 *
 * Files are tls.certificate and tls.key, or, when none are configured, the
 * relay's own (relay/keys), which are renewed here. Open connections never
 * notice: a certificate is used in the handshake only, which is over, or given
 * up, BADGE_REST_MS after its certificate was shown last; so long a place rests.
 *
 * Where a proxy ends TLS in front of us, operators and machines see its
 * certificate; badges_proxy tells its digest, read again in the same way.
 */
#ifndef RELAY_BADGE_H
#define RELAY_BADGE_H

#include "base/arena.h"
#include "limits.h"
#include "transport/tlsid.h"

#define BADGE_CACHE_BYTES (256 * 1024) /* about 2,500 resumable handshakes */
#define BADGES_BYTES      (2 * (BADGE_CACHE_BYTES + 64))
#define BADGE_LOOK_MS     60000
#define BADGE_REST_MS     15000 /* more than HANDSHAKE_MS, API_REQUEST_MS */

struct badge {
    struct tlsid id;
    struct span cache_mem;
    br_ssl_session_cache_lru cache;
};

struct badges_cfg {
    const char *folder;            /* of the relay's own files, */
    const char *name, *host;       /* and for whom they are: keys_server */
    const char *certificate, *key; /* paths; NULL: our own */
    const char *proxy;             /* path of its certificate, or NULL */
};

struct badges {
    struct badges_cfg cfg; /* texts live as long */
    struct badge badge[2];
    struct badge *now;
    uint64_t rests_ms; /* until then the other one is left alone */
    uint8_t seen[32];  /* digest of the files as they were looked at last */
    uint8_t proxy_seen[32];
    uint8_t proxy_end_point[32];
    int64_t warned_s; /* that the end is near */
};

/* Read what is configured; all of it must be good. ERR_... with a sentence. */
int badges_open(struct badges *b, struct arena *a, const struct badges_cfg *cfg,
                int64_t now_s, struct text *why);

/* Look at the files again, at Unix time now_s. False: the other place rests
 * still (now_ms is the loop's clock); look again in BADGE_REST_MS. */
bool badges_look(struct badges *b, int64_t now_s, uint64_t now_ms);

/* The one to show to a connection that begins now. */
struct badge *badges_now(struct badges *b);

/* The binding of connections through the proxy, 32 bytes; NULL without one. */
const uint8_t *badges_proxy(const struct badges *b);

#endif
