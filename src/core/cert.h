/*
 * The relay's own certificates: a certification authority made at first
 * start, and server certificates that it signs. X.509 version 3 by RFC 5280,
 * ECDSA on P-256 with SHA-256, nothing to choose. No clock and no entropy
 * here: the same arguments give the same bytes, and the caller must not use
 * the same seed or serial for two things. Files and their modes are left to
 * the caller, PEM to codec/der.
 */
#ifndef CORE_CERT_H
#define CORE_CERT_H

#include "base/bytes.h"

enum {
    CERT_SEED_LEN = 32,
    CERT_X_LEN = 32,
    CERT_PUB_LEN = 65,
    CERT_SERIAL_LEN = 16,
    CERT_END_POINT_LEN = 32,
    CERT_KEY_DER_LEN = 121,
    CERT_CN_MAX = 64,    /* bytes, RFC 5280 appendix A.1: ub-common-name */
    CERT_DNS_MAX = 253,  /* bytes, RFC 1035 2.3.4 less root and length */
    CERT_CA_DAYS = 7305, /* 20 years, five of them leap years */
    CERT_DAYS_MAX = CERT_CA_DAYS,
};

/* Room for a CA certificate, which needs 482 bytes at most. For a server
 * certificate add, for each alternative name, its length and four bytes. */
#define CERT_DER_MAX 576

/* A key pair on P-256. Holds a secret: the caller wipes it. */
struct cert_key {
    uint8_t x[CERT_X_LEN];     /* private, big-endian, 1 to n - 1 */
    uint8_t pub[CERT_PUB_LEN]; /* public point, uncompressed: 4, X, Y */
};

/* What tells one certificate from another. */
struct cert_id {
    struct view name;                /* subject's common name */
    uint64_t not_before_s;           /* first valid second, Unix time */
    uint8_t serial[CERT_SERIAL_LEN]; /* random; two bits are overwritten
                                            to make it positive */
};

/* Who signs. The name must be the one the CA's certificate was made with. */
struct cert_issuer {
    const struct cert_key *key;
    struct view name;
};

struct cert_server {
    struct cert_id id;
    const uint8_t *pub;     /* the server key's CERT_PUB_LEN bytes */
    uint32_t days;          /* of validity, 1 to CERT_DAYS_MAX */
    const struct view *dns; /* alternative names, none is a wildcard */
    size_t dns_count;
    const struct view *ips; /* addresses, 4 or 16 bytes, network order */
    size_t ip_count;
};

/*
 * Names, here and below: host names by RFC 1034, 3.5: labels of 1 to 63 ASCII
 * letters, digits and inner hyphens, joined by dots. A common name has at
 * most CERT_CN_MAX bytes, a DNS name CERT_DNS_MAX; anything else is ERR_RANGE.
 */

/*
 * Make a key pair.
 * seed   CERT_SEED_LEN bytes of full entropy, used for this key only; the
 *        caller wipes it
 */
void cert_key_make(const uint8_t *seed, struct cert_key *out);

/*
 * Write the key as an ECPrivateKey (RFC 5915) with curve and public key; PEM
 * label "EC PRIVATE KEY". Returns CERT_KEY_DER_LEN, or ERR_FULL.
 */
int cert_key_der(const struct cert_key *key, struct span out);

/*
 * Read a key back.
 * der   the whole structure, as cert_key_der or OpenSSL writes it
 * Returns OK; ERR_DAMAGED when any byte is not what cert_key_der would write,
 * when the private number is outside 1 to n - 1, or when the public key is
 * not its own. `out` is written on success only.
 */
int cert_key_parse(struct view der, struct cert_key *out);

/*
 * Write a self-signed CA certificate, valid for CERT_CA_DAYS, that may sign
 * server certificates but no further CA.
 * out   its bytes are undefined after an error; CERT_DER_MAX always suffices
 * Returns the length of the DER; ERR_FULL; ERR_RANGE when the name is not
 * one, when the validity ends after the year 9999, or when the key is none.
 */
int cert_ca(const struct cert_key *key, const struct cert_id *id,
            struct span out);

/*
 * Write a server certificate (TLS server authentication only) signed by a CA.
 * leaf   at least one alternative name; the common name is for people, so a
 *        client that checks names finds only those in dns and ips
 * out    its bytes are undefined after an error
 * Returns the length of the DER; ERR_FULL, also beyond 64 KiB; ERR_RANGE when
 * a name, an address, the days or the public key's first byte is not as
 * described, when the validity ends after the year 9999, or when the CA's key
 * is none. Whether the CA's own certificate lasts as long is not known here.
 */
int cert_server(const struct cert_issuer *ca, const struct cert_server *leaf,
                struct span out);

/* Is this a DNS name that a server certificate takes? */
bool cert_dns_ok(struct view name);

/*
 * Was a certificate of ours, `der`, made for this public key and for exactly
 * these alternative names in this order? Of `leaf` only pub, dns and ips are
 * looked at. A certificate that somebody else made is not.
 */
bool cert_is_for(struct view der, const struct cert_server *leaf);

/*
 * The tls-server-end-point channel binding (RFC 5929, 4.1) of a certificate
 * signed with SHA-256, as ours are: the hash of its DER.
 * out   CERT_END_POINT_LEN bytes
 */
void cert_end_point(struct view der, uint8_t *out);

#endif
