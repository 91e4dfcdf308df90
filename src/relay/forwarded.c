/* Who stands behind a proxy; see forwarded.h. */
#include "relay/forwarded.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define BITS_LEAST 8 /* of a network of proxies */

/* ---- who is believed ------------------------------------------------------------ */

static bool too_wide(const struct net *n)
{
    static const struct net v4 = {{[10] = 0xFF, [11] = 0xFF}, 96};
    struct port_addr first_v4 = {.ip = {[10] = 0xFF, [11] = 0xFF}};
    struct port_addr first = {0};
    memcpy(first.ip, n->ip, sizeof(first.ip));
    if (n->bits < v4.bits + BITS_LEAST &&
        (net_has(&v4, &first) || net_has(n, &first_v4)))
        return true;
    return n->bits < BITS_LEAST;
}

int proxies_read(struct view list, struct proxies *out)
{
    struct proxies p = {.count = 0};
    while (list.len > 0) {
        struct net net;
        if (p.count == PROXIES_MAX || net_take(&list, &net) != OK ||
            too_wide(&net))
            return ERR_RANGE;
        p.net[p.count++] = net;
    }
    if (p.count == 0)
        return ERR_RANGE;
    *out = p;
    return OK;
}

bool proxies_have(const struct proxies *p, const struct port_addr *a)
{
    for (size_t i = 0; i < p->count; i++)
        if (net_has(&p->net[i], a))
            return true;
    return false;
}

/* ---- one entry -------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct view trimmed(struct view v)
{
    while (v.len > 0 && is_blank(v.ptr[0]))
        v = view_from(v, 1);
    while (v.len > 0 && is_blank(v.ptr[v.len - 1]))
        v = view_first(v, v.len - 1);
    return v;
}

/* Only what port_addr_parse is to see: no zone, no end in the middle. */
static int parse(struct view host, bool v6, uint16_t port,
                 struct port_addr *out)
{
    char text[48];
    if (host.len >= sizeof(text) || view_find(host, '%') >= 0 ||
        view_find(host, '\0') >= 0 || (view_find(host, ':') >= 0) != v6)
        return ERR_RANGE;
    bytes_to_str(text, sizeof(text), host);
    return port_addr_parse(text, port, out) == OK ? OK : ERR_RANGE;
}

/* ":80", or nothing. */
static int parse_port(struct view v, uint16_t *port)
{
    uint64_t n = 0;
    if (v.len > 0 && (v.ptr[0] != ':' ||
                      text_parse_u64(view_from(v, 1), UINT16_MAX, &n) != OK))
        return ERR_RANGE;
    *port = (uint16_t)n;
    return OK;
}

int forwarded_entry(struct view v, struct port_addr *out)
{
    uint16_t port = 0;
    v = trimmed(v);
    ptrdiff_t colon = view_find(v, ':'), bracket = view_find(v, ']');
    if (v.len > 0 && v.ptr[0] == '[') {
        if (bracket < 0 ||
            parse_port(view_from(v, (size_t)bracket + 1), &port) != OK)
            return ERR_RANGE;
        v = view_from(view_first(v, (size_t)bracket), 1);
        return parse(v, true, port, out);
    }
    if (colon < 0)
        return parse(v, false, 0, out);
    if (view_find(view_from(v, (size_t)colon + 1), ':') >= 0)
        return parse(v, true, 0, out);
    if (parse_port(view_from(v, (size_t)colon), &port) != OK)
        return ERR_RANGE;
    return parse(view_first(v, (size_t)colon), false, port, out);
}

/* ---- the header ------------------------------------------------------------------- */

void forwarded_begin(struct forwarded *f, const struct proxies *trusted,
                     const struct port_addr *peer)
{
    *f = (struct forwarded){.peer = *peer, .caller = *peer};
    if (trusted != NULL && proxies_have(trusted, peer))
        f->trusted = trusted;
}

/*
 * From the end, the caller is the first that is no proxy of ours, or the last
 * before something that is no address. Forwards: whatever is no proxy takes
 * the place, and a proxy only when there was nobody before it.
 */
static void on_entry(struct forwarded *f, struct view v)
{
    struct port_addr a;
    if (forwarded_entry(v, &a) != OK) {
        f->caller = f->peer;
        f->found = false;
    } else if (!f->found || !proxies_have(f->trusted, &a)) {
        f->caller = a;
        f->found = true;
    }
}

void forwarded_line(struct forwarded *f, struct view value)
{
    ptrdiff_t comma;
    if (f->trusted == NULL)
        return;
    while ((comma = view_find(value, ',')) >= 0) {
        on_entry(f, view_first(value, (size_t)comma));
        value = view_from(value, (size_t)comma + 1);
    }
    on_entry(f, value);
}
