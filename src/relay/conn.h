/* A connection at the relay, from accept to goodbye. */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include "relay/relay.h"

/* Is there memory for one more? */
bool conn_room(const struct relay *r);

/* Start serving an accepted handle; only with conn_room. */
void conn_start(struct relay *r, int handle, const struct port_addr *from);

/* The same for one that our proxy brought: TLS has ended there. Who the caller
 * is, and whether he has budget, is seen when the proxy has told it. */
void conn_start_proxied(struct relay *r, int handle,
                        const struct port_addr *from);

/* It is let in as this kind. A guest stays a stranger of its address, and
 * goes after GUEST_MS; who signed in goes when his sign-in ends (ends_ms). */
#define GUEST_MS (20 * 60 * 1000)
void conn_admit(struct conn *c, enum may_kind kind);

/* What the store says of its sign-in; at the first time and whenever it was
 * asked again. False: the fleet's policies do not let it in, and *why says
 * so. */
bool conn_sign_in(struct conn *c, const struct store_who *who,
                  struct text *why);

/* End an open link now, with the reason. Its channels are told before. */
void conn_cut(struct conn *c, msg_code code, const char *message,
              const char *remedy, uint32_t retry_after_ms);

/* Whoever it is may come back at once: something about him has changed. */
void conn_renew(struct conn *c, const char *reason);

/* A question was taken. A guest goes who keeps the answer waiting. */
void conn_asked(struct conn *c);

/* Tell everybody that the relay is about to stop. */
void conns_drain(struct relay *r, uint32_t reconnect_ms);

#endif
