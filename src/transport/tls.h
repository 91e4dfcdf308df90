/*
 * TLS 1.2 (RFC 5246) with ALPN, as an engine without I/O: records in,
 * records out, application bytes in, application bytes out. BearSSL is
 * behind it; nothing of BearSSL shows through except that the struct is
 * embedded by value. Cipher suites: ECDHE with AES-GCM or
 * ChaCha20-Poly1305, P-256.
 *
 *        network                                   program
 *   tls_rec_feed   -> [  handshake, records  ] -> tls_app_in / taken
 *   tls_rec_out    <- [                      ] <- tls_app_space / put, flush
 *
 * Whom we talk to is decided in one of two ways (struct tls_client_cfg):
 *  - pinned: any certificate is taken here, its digest is remembered
 *    (tls_end_point), and the caller must see the pinned relay key sign that
 *    digest before a secret is sent (docs/PROTOCOL.md, "Challenge");
 *  - trust anchors: X.509 path validation with names and time.
 */
#ifndef TRANSPORT_TLS_H
#define TRANSPORT_TLS_H

#include <bearssl.h>

#include "base/bytes.h"
#include "transport/certtap.h"
#include "transport/tlsid.h"

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_CLOSED, /* orderly, by close_notify */
    TLS_FAILED, /* tls_why tells */
};

/* A finished handshake that a later connection may continue: secret. */
struct tls_ticket {
    br_ssl_session_parameters params;
    uint8_t end_point[32]; /* of the certificate then */
};

struct tls_client_cfg {
    const char *server_name;             /* SNI, and the name to verify; with
                                         anchors never NULL */
    const br_x509_trust_anchor *anchors; /* NULL: pinned mode */
    size_t anchors_count;
    int64_t unix_time;               /* seconds; for anchors only */
    const struct tls_ticket *resume; /* NULL: full handshake */
    struct view entropy;             /* at least 32 bytes */
};

/* A session is resumed with the certificate of its first handshake, so a cache
 * belongs to one identity. */
struct tls_server_cfg {
    const struct tlsid *id;          /* used until the handshake is over */
    br_ssl_session_cache_lru *cache; /* shared; NULL: no resumption */
    const char *alpn; /* NULL: "h2", and nobody without it. Otherwise this
                         protocol, and those as well who name none; a literal */
    struct view entropy;
};

struct tls; /* complete below */

/* Bytes of buffer an engine wants for its records. */
#define TLS_IN_BYTES  16709 /* BR_SSL_BUFSIZE_INPUT: any peer's record */
#define TLS_OUT_BYTES 16469 /* one full record of ours */
#define TLS_BUF_BYTES (TLS_IN_BYTES + TLS_OUT_BYTES)

/* `buf` has TLS_BUF_BYTES and belongs to the engine from here on; it is not
 * cleared. What cfg points to is copied, except as said above. A wrong
 * configuration shows as TLS_FAILED. */
void tls_client_init(struct tls *t, struct span buf,
                     const struct tls_client_cfg *cfg);
void tls_server_init(struct tls *t, struct span buf,
                     const struct tls_server_cfg *cfg);

enum tls_state tls_state(const struct tls *t);
const char *tls_why(const struct tls *t); /* for people; lives for ever */

/* Records from the network: takes what it can of `in`, returns the count
 * (less than in.len only when application bytes wait to be taken, when records
 * of the handshake must leave first, or at the end of the connection). */
size_t tls_rec_feed(struct tls *t, struct view in);
/* Records for the network: send some, then say how many went. */
struct view tls_rec_out(struct tls *t);
void tls_rec_sent(struct tls *t, size_t n);

/* Decrypted bytes, and how many were used. */
struct view tls_app_in(struct tls *t);
void tls_app_taken(struct tls *t, size_t n);
/* Room for plain bytes (empty while a record waits to be sent), how many
 * were put there, and "seal them into a record now". */
struct span tls_app_space(struct tls *t);
void tls_app_put(struct tls *t, size_t n);
void tls_flush(struct tls *t);

/* Start an orderly end: what was put is sealed, close_notify follows. */
void tls_close(struct tls *t);

/* Overwrite keys and the plain bytes left in the buffers; the state becomes
 * TLS_CLOSED. For an engine that was started. */
void tls_wipe(struct tls *t);

/* The channel binding: SHA-256 of the server's certificate, whatever hash it is
 * signed with, on both sides; valid once the state is TLS_OPEN. (That is RFC
 * 5929's tls-server-end-point for certificates signed with SHA-256; decision
 * 21 tells why the others are hashed alike.) */
const uint8_t *tls_end_point(const struct tls *t);

/* Path validation as we want it, of certificates that are shown to us: no
 * SHA-1, no MD5. Clients with anchors use it by themselves. */
void tls_path_init(br_x509_minimal_context *x,
                   const br_x509_trust_anchor *anchors, size_t count,
                   int64_t unix_time);

/* Copy out what a later tls_client_cfg.resume needs; once TLS_OPEN. When the
 * server does not remember, that handshake is simply a full one. */
void tls_ticket_save(const struct tls *t, struct tls_ticket *out);
bool tls_resumed(const struct tls *t);

struct tls {
    union {
        br_ssl_client_context client;
        br_ssl_server_context server;
    } ctx;
    br_ssl_engine_context *eng;      /* of either */
    br_x509_minimal_context minimal; /* clients with anchors */
    struct certtap tap;              /* clients */
    uint8_t end_point[32];
    bool is_client;
    bool resumed;
    enum tls_state state;
    const char *alpn[1]; /* what we offer */
    bool alpn_must;      /* and demand */
    const char *why;     /* our own reason, else the engine's code tells */
    struct span buf;     /* TLS_IN_BYTES in, the rest out */
    size_t in_high;      /* bytes of either part that were ever used */
    size_t out_high;
    int first; /* first byte of the peer; -1: none yet */
};

#endif
