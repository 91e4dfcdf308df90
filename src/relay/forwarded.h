/*
 * Who stands behind a proxy. A proxy adds the address of whoever called it at
 * the end of X-Forwarded-For; what was there before is what that caller said:
 *
 *     X-Forwarded-For: 198.51.100.9, 203.0.113.7, 10.0.0.2     from 10.0.0.1
 *                      says anybody  caller       a proxy      a proxy
 *
 * Only proxies that the relay's owner named are believed, and each only in
 * what it added: from the end, as long as it was one of them who speaks, the
 * address before is the one it saw. An entry that is no address ends that, and
 * the caller is who was believed last. Without a header, or from anybody else,
 * the caller is the peer itself.
 *
 * The entries are read as they come, so that nothing of a header is kept.
 */
#ifndef RELAY_FORWARDED_H
#define RELAY_FORWARDED_H

#include "relay/nets.h"

#define FORWARDED_HEADER "x-forwarded-for"
#define PROXIES_MAX      16

struct proxies {
    struct net net[PROXIES_MAX];
    size_t count; /* 0: nobody is believed */
};

/*
 * Read a list of networks (nets.h), one at least. ERR_RANGE: it is no such
 * list, has more than PROXIES_MAX, or one with fewer than 8 bits: so many
 * cannot all be proxies, and whoever is believed can name any address.
 */
int proxies_read(struct view list, struct proxies *out);

bool proxies_have(const struct proxies *p, const struct port_addr *a);

struct forwarded {
    const struct proxies *trusted; /* NULL: the peer is none of them */
    struct port_addr peer;
    struct port_addr caller; /* so far; its port is 0 where none is told */
    bool found;              /* it is not the peer */
};

/* A request begins. `trusted` must live as long as it is read; NULL: nobody. */
void forwarded_begin(struct forwarded *f, const struct proxies *trusted,
                     const struct port_addr *peer);

/* One line of the header; lines in their order are one list. */
void forwarded_line(struct forwarded *f, struct view value);

/* An entry: "192.0.2.7", "192.0.2.7:80", "2001:db8::7", "[2001:db8::7]",
 * "[2001:db8::7]:80"; blanks around do not matter. OK or ERR_RANGE. */
int forwarded_entry(struct view v, struct port_addr *out);

#endif
