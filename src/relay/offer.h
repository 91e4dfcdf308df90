/*
 * What a connection may open: questions to the relay, channels to a machine
 * of the same fleet. Every Open is stamped with the origin that the relay
 * itself knows; what the peer wrote there is dropped.
 */
#ifndef RELAY_OFFER_H
#define RELAY_OFFER_H

#include "relay/relay.h"

void offer_open(struct conn *c, const msg_open *open, struct view params);

#endif
