/* A connection at the relay, from accept to goodbye. */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include "relay/relay.h"

/* Is there memory for one more? */
bool conn_room(const struct relay *r);

/* Start serving an accepted handle; only with conn_room. */
void conn_start(struct relay *r, int handle, const struct port_addr *from);

/* Tell everybody that the relay is about to stop. */
void conns_drain(struct relay *r, uint32_t reconnect_ms);

#endif
