/* Addresses: text (RFC 5952), kernel structures; see addr.h and port.h. */
#include "addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "why.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool addr_is_v4(const struct port_addr *a)
{
    return memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

socklen_t addr_to_kernel(const struct port_addr *a, union addr_any *out)
{
    memset(out, 0, sizeof(*out));
    if (addr_is_v4(a)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(a->port);
        memcpy(&out->v4.sin_addr, a->ip + 12, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(a->port);
    out->v6.sin6_scope_id = a->scope;
    memcpy(&out->v6.sin6_addr, a->ip, 16);
    return sizeof(out->v6);
}

void addr_from_kernel(const struct sockaddr *in, struct port_addr *out)
{
    union addr_any a;
    memset(out, 0, sizeof(*out));
    memset(&a, 0, sizeof(a));
    if (in->sa_family == AF_INET) {
        memcpy(&a.v4, in, sizeof(a.v4));
        memcpy(out->ip, v4_prefix, sizeof(v4_prefix));
        memcpy(out->ip + 12, &a.v4.sin_addr, 4);
        out->port = ntohs(a.v4.sin_port);
    } else if (in->sa_family == AF_INET6) {
        memcpy(&a.v6, in, sizeof(a.v6));
        memcpy(out->ip, &a.v6.sin6_addr, 16);
        out->port = ntohs(a.v6.sin6_port);
        out->scope = addr_is_v4(out) ? 0 : a.v6.sin6_scope_id;
    }
}

/* "%eth0" or "%3". */
static int parse_zone(const char *zone, uint32_t *scope)
{
    uint64_t n = if_nametoindex(zone);
    if (n == 0 && text_parse_u64(view_str(zone), UINT32_MAX, &n) != OK)
        return ERR_RANGE;
    *scope = (uint32_t)n;
    return OK;
}

int port_addr_parse(const char *host, uint16_t port, struct port_addr *out)
{
    struct port_addr a = {.port = port};
    char ip[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, '%');
    size_t len = zone != NULL ? (size_t)(zone - host) : strlen(host);
    if (len >= sizeof(ip))
        return why_say(ERR_RANGE, host, "not a numeric address");
    memcpy(ip, host, len);
    ip[len] = '\0';
    if (zone == NULL && inet_pton(AF_INET, ip, a.ip + 12) == 1)
        memcpy(a.ip, v4_prefix, sizeof(v4_prefix));
    else if (inet_pton(AF_INET6, ip, a.ip) != 1)
        return why_say(ERR_RANGE, host, "not a numeric address");
    if (zone != NULL && parse_zone(zone + 1, &a.scope) != OK)
        return why_say(ERR_RANGE, host, "no such interface");
    *out = a;
    return OK;
}

static void print_v4(struct text *t, const uint8_t *ip)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            text_char(t, '.');
        text_u64(t, ip[i]);
    }
}

static unsigned group(const uint8_t *ip, int i)
{
    const uint8_t *p = ip + 2 * (size_t)i;
    return (unsigned)p[0] << 8 | p[1];
}

/* The longest run of at least two zero groups: its start, or -1 with a
 * length of 1. */
static int zero_run(const uint8_t *ip, int *len)
{
    int best = -1, run = 0;
    *len = 1;
    for (int i = 0; i < 8; i++) {
        run = group(ip, i) == 0 ? run + 1 : 0;
        if (run > *len) {
            *len = run;
            best = i + 1 - run;
        }
    }
    return best;
}

static void print_group(struct text *t, unsigned v)
{
    for (int shift = 12; shift >= 0; shift -= 4)
        if (shift == 0 || v >> shift != 0)
            text_char(t, "0123456789abcdef"[v >> shift & 15]);
}

static void print_v6(struct text *t, const uint8_t *ip)
{
    int len, skip = zero_run(ip, &len);
    for (int i = 0; i < 8; i++) {
        if (i == skip) {
            text_str(t, "::");
            i += len - 1;
            continue;
        }
        if (i > 0 && i != skip + len)
            text_char(t, ':');
        print_group(t, group(ip, i));
    }
}

void port_addr_print(const struct port_addr *a, char *out, size_t cap)
{
    struct text t;
    text_init(&t, out, cap);
    if (addr_is_v4(a)) {
        print_v4(&t, a->ip + 12);
    } else {
        text_char(&t, '[');
        print_v6(&t, a->ip);
        if (a->scope != 0) {
            text_char(&t, '%');
            text_u64(&t, a->scope);
        }
        text_char(&t, ']');
    }
    text_char(&t, ':');
    text_u64(&t, a->port);
}
