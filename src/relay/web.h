/*
 * The HTTP face put together: people, OAuth and routes over the relay's
 * store, and the address under which browsers find all of it.
 */
#ifndef RELAY_WEB_H
#define RELAY_WEB_H

#include "base/text.h"
#include "relay/call.h"

struct relay;

struct web {
    struct people people;
    struct calls calls;
    char url[OAUTH_URL_CAP]; /* "https://relay.example:8000" */
    char name[NAME_CAP];
};

/* Loop rows and timers that a struct web uses at most. */
#define WEB_ROWS   DESK_ROWS
#define WEB_TIMERS DESK_TIMERS

/* Memory that web_init carves at most. */
size_t web_bytes(void);

/* Once loop, keys and store are there. `name` is what people call this
 * relay. */
void web_init(struct relay *r, const char *name);

/*
 * The address of the pages, once the port is known: `url` as it was given
 * ("https://host:8000"), or made of where we listen: this machine only,
 * then "http://localhost:PORT"; or `host`.
 */
void web_address(struct web *w, const char *url, const struct port_addr *at,
                 uint16_t port, const char *host);

/* Is this such an address: http or https, a host, nothing behind the port? */
bool web_is_url(const char *url);

#endif
