/*
 * A server's identity out of one certificate and one key as they stand, good or
 * bad: tlsid_load would refuse what tests want to show.
 */
#ifndef TESTS_TRANSPORT_IDENT_H
#define TESTS_TRANSPORT_IDENT_H

#include "crypto/hash.h"
#include "transport/tlsid.h"

static inline const struct tlsid *ident(struct tlsid *id, struct view cert,
                                        const br_ec_private_key *key)
{
    id->chain[0].data = (unsigned char *)(uintptr_t)cert.ptr;
    id->chain[0].data_len = cert.len;
    id->count = 1;
    id->ec = key;
    id->rsa = NULL;
    id->attach = tlsid_attach_ec;
    id->issuer_ec = true;
    hash_once(cert, id->end_point);
    return id;
}

#endif
