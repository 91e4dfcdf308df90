/*
 * What a TLS server shows and signs with: a certificate, those between it and
 * an authority, and its private key. Read from PEM as authorities and tools
 * hand it out, and checked before anybody sees it: what is loaded, works.
 *
 *     certificates   the server's own first; each next one signed the one
 *                    before it; the root may be there or not
 *     key            EC on P-256 or P-384, or RSA of 2048 to 4096 bits; PKCS#8
 *                    ("PRIVATE KEY"), SEC 1 ("EC PRIVATE KEY") or PKCS#1 ("RSA
 *                    PRIVATE KEY"), not encrypted
 *
 * No files here: see relay/badge.
 */
#ifndef TRANSPORT_TLSID_H
#define TRANSPORT_TLSID_H

#include <bearssl.h>

#include "base/text.h"

#define TLSID_CERTS_MAX 8 /* of public chains, 4 is the longest seen */
#define TLSID_DER_BYTES (16 * 1024) /* all certificates together */
#define TLSID_DIGEST    32

struct tlsid;

/* Give an identity to a server that begins. By pointer, so that programs which
 * load none carry no code for the private keys of others. */
typedef void tlsid_attach_fn(const struct tlsid *id, br_ssl_server_context *s);
tlsid_attach_fn tlsid_attach_ec;

/* Holds a secret: tlsid_wipe. Points into itself: not to be copied. */
struct tlsid {
    br_x509_certificate chain[TLSID_CERTS_MAX];
    size_t count;
    const br_ec_private_key *ec; /* one of the two */
    const br_rsa_private_key *rsa;
    tlsid_attach_fn *attach;           /* for the kind of the key */
    bool issuer_ec;                    /* the first one is signed by EC */
    uint8_t end_point[TLSID_DIGEST];   /* SHA-256 of the first one */
    int64_t not_before_s, not_after_s; /* Unix time, of the first one */
    br_skey_decoder_context key;
    uint8_t der[TLSID_DER_BYTES];
};

/*
 * Read both texts.
 * now_s   Unix time: a certificate that is not valid now is refused
 * why     an empty text; gets a sentence that begins with what is wrong, "the
 *         certificate ..." or "the key ...", so that names can stand in front
 * Returns OK; ERR_DAMAGED when a text is not as described; ERR_RANGE when
 * they are well-formed, but not valid now, not of one chain, not of one pair,
 * or of a kind that is not supported. After an error only tlsid_wipe is
 * useful.
 */
int tlsid_load(struct tlsid *id, struct view certs_pem, struct view key_pem,
               int64_t now_s, struct text *why);

/* The digest of the first certificate in a text, and how long it is valid:
 * for a certificate that somebody else shows. Same results. */
struct tlsid_seen {
    uint8_t end_point[TLSID_DIGEST];
    int64_t not_before_s, not_after_s;
};
int tlsid_look(struct view certs_pem, int64_t now_s, struct tlsid_seen *out,
               struct text *why);

void tlsid_wipe(struct tlsid *id);

#endif
