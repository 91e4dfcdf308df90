/*
 * A TLS handshake kept for the next call of the tool, so that a second
 * command reaches the relay without a full handshake. A secret like the
 * sign-in token, and of less worth: it opens nothing by itself, the relay
 * asks for the token every time. Kept in the runtime folder, 0600.
 *
 *     "CMDOPTK1"  pin (32)  TLS version (2)  cipher suite (2)
 *     session id length (1)  session id (32)  master secret (48)
 *     certificate digest (32)
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include "transport/tls.h"

/* OK, or an error when there is none that fits this pin: do without. */
int ticket_load(const char *runtime_dir, const uint8_t pin[32],
                struct tls_ticket *out);
/* A failure to keep it is no failure: the next call takes longer. */
void ticket_save(const char *runtime_dir, const uint8_t pin[32],
                 const struct tls_ticket *t);

#endif
