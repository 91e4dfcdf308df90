/*
 * Catches the server's certificate: a BearSSL X.509 engine that hashes the
 * first certificate of the chain and then either asks another engine (path
 * validation) or takes the key itself. In the second case nothing is known
 * about whom we talk to; the caller must check the digest by other means.
 */
#ifndef TRANSPORT_CERTTAP_H
#define TRANSPORT_CERTTAP_H

#include <bearssl.h>
#include <stdbool.h>
#include <stdint.h>

struct certtap {
    const br_x509_class *vtable;     /* first: BearSSL calls through it */
    const br_x509_class **inner;     /* path validation, or NULL */
    const br_x509_pkey *key;         /* of a certificate taken here */
    br_x509_decoder_context decoder; /* of the first certificate */
    br_sha256_context digest;
    uint8_t end_point[32]; /* SHA-256 of its DER */
    unsigned count;        /* certificates seen */
    bool in_first;
};

/*
 * inner   the engine that decides, or NULL: any certificate that parses and
 *         has a key on P-256 or P-384, or RSA of at least 2048 bits, is
 *         taken
 * Use it as br_ssl_engine_set_x509(eng, &tap->vtable). end_point is valid once
 * count > 0 and the handshake went on.
 */
void certtap_init(struct certtap *tap, const br_x509_class **inner);

#endif
