/* Which holder of which key; see holder.h. */
#include "agent/holder.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "port/port.h"

/* The new key goes into every Proof until the relay has said yes. */
static void show_next(struct holder *h)
{
    h->credential->next = h->identity->has_next ? &h->identity->next : NULL;
}

void holder_init(struct holder *h, const struct paths *paths,
                 struct identity *identity, struct link_credential *credential,
                 const uint8_t relay[LEASE_RELAY_LEN])
{
    *h = (struct holder){.paths = paths,
                         .identity = identity,
                         .credential = credential,
                         .unread = true};
    memcpy(h->lease.relay, relay, sizeof(h->lease.relay));
    port_entropy(SPAN_ARRAY(h->instance));
    credential->instance = h->instance;
    show_next(h);
}

bool holder_ready(struct holder *h, struct text *why)
{
    uint8_t relay[LEASE_RELAY_LEN];
    if (!h->unread)
        return true;
    memcpy(relay, h->lease.relay, sizeof(relay));
    int err = lease_load(h->paths->state, relay, &h->lease, why);
    if (err == ERR_DAMAGED || err == ERR_UNSUPPORTED)
        log_warn("lease.unread", why->buf);
    else if (err != OK)
        return false;
    h->credential->epoch = h->lease.epoch;
    h->unread = false;
    return true;
}

/* A relay that tells no version does not know what a next key is. */
static bool said_yes(const struct holder *h, const struct link *l,
                     const msg_welcome *w)
{
    return h->identity->has_next && w->key_version != 0 &&
           view_eq(VIEW_ARRAY(l->next_shown),
                   VIEW_ARRAY(h->identity->next.pub));
}

void holder_welcomed(struct holder *h, const struct link *l,
                     const msg_welcome *w)
{
    h->given = w->epoch;
    h->key_version = w->key_version;
    if (said_yes(h, l, w))
        h->accepted = true;
    show_next(h);
}

/* Its own trouble is logged and tried again: the relay takes both keys. */
static void take_next(struct holder *h)
{
    char buf[640];
    struct text why;
    TEXT_OF(&why, buf);
    if (!h->accepted)
        return;
    if (identity_next_take(h->paths->state, h->identity, &why) != OK) {
        log_warn("identity.next", buf);
        return;
    }
    h->accepted = false;
    show_next(h);
    log_info("identity.rotated", h->identity->fingerprint);
}

bool holder_settle(struct holder *h, struct text *why)
{
    take_next(h);
    if (h->given == 0) /* a relay without leases */
        return true;
    if (lease_keep(h->paths->state, &h->lease, h->given, why) != OK)
        return false;
    h->credential->epoch = h->lease.epoch;
    return true;
}

void holder_refused(struct holder *h, msg_code code)
{
    bool of_key = code == cmdop_agent_v1_Code_CODE_AUTH ||
                  code == cmdop_agent_v1_Code_CODE_CONFLICT;
    if (of_key && h->credential->next != NULL)
        h->credential->next = NULL;
    else
        show_next(h);
}

int holder_rotate(struct holder *h, struct text *why)
{
    int err =
        identity_next_make(h->paths->state, h->paths->config, h->identity, why);
    if (err == OK)
        show_next(h);
    return err;
}
