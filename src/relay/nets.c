/* Lists of networks; see nets.h. */
#include "relay/nets.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define V4_BITS 96 /* of the prefix in which IPv4 addresses are kept */

static struct view trimmed(struct view v)
{
    while (v.len > 0 && v.ptr[0] == ' ')
        v = view_from(v, 1);
    while (v.len > 0 && v.ptr[v.len - 1] == ' ')
        v = view_first(v, v.len - 1);
    return v;
}

/* Where `c` is first, or the length. */
static size_t place_of(struct view v, char c)
{
    const uint8_t *at = v.len > 0 ? memchr(v.ptr, c, v.len) : NULL;
    return at == NULL ? v.len : (size_t)(at - v.ptr);
}

/* "ADDRESS" or "ADDRESS/BITS". */
static int parse(struct view v, struct net *out)
{
    char host[48];
    struct port_addr at;
    uint64_t n;
    size_t slash = place_of(v, '/');
    if (slash >= sizeof(host) || place_of(v, '%') < v.len ||
        place_of(v, '\0') < v.len)
        return ERR_RANGE;
    bytes_to_str(host, sizeof(host), view_first(v, slash));
    if (port_addr_parse(host, 0, &at) != OK)
        return ERR_RANGE;
    uint32_t most = strchr(host, ':') == NULL ? 128 - V4_BITS : 128;
    n = most;
    if (slash < v.len &&
        text_parse_u64(view_from(v, slash + 1), most, &n) != OK)
        return ERR_RANGE;
    memcpy(out->ip, at.ip, sizeof(out->ip));
    out->bits = 128 - most + (uint32_t)n;
    return OK;
}

int net_take(struct view *left, struct net *out)
{
    size_t comma = place_of(*left, ',');
    if (parse(trimmed(view_first(*left, comma)), out) != OK ||
        comma + 1 == left->len)
        return ERR_RANGE;
    *left = view_from(*left, comma < left->len ? comma + 1 : comma);
    return OK;
}

bool net_has(const struct net *n, const struct port_addr *from)
{
    uint32_t whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->ip, from->ip, whole) != 0)
        return false;
    return rest == 0 || ((n->ip[whole] ^ from->ip[whole]) >> (8 - rest)) == 0;
}

/* Walk the list; *admitted when `from` is inside one of them. */
static int walk(struct view list, const struct port_addr *from, bool *admitted)
{
    struct view left = trimmed(list);
    *admitted = left.len == 0;
    while (left.len > 0) {
        struct net net;
        if (net_take(&left, &net) != OK)
            return ERR_RANGE;
        if (from != NULL && net_has(&net, from))
            *admitted = true;
    }
    return OK;
}

int nets_check(struct view list)
{
    bool admitted;
    return walk(list, NULL, &admitted);
}

bool nets_admit(struct view list, const struct port_addr *from)
{
    bool admitted;
    return walk(list, from, &admitted) == OK && admitted;
}
