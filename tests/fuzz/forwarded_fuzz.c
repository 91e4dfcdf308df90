/*
 * X-Forwarded-For: 16 bytes of the peer's address, then lines. Who our proxies
 * saw is computed here anew, from the end, as forwarded.h tells it; one line
 * with commas comes to the same as several; who is no proxy changes nothing.
 */
#include "relay/forwarded.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define TRUSTED  "127.0.0.1,10.0.0.0/8,2001:db8:1::/48"
#define TEXT_MAX 4096

static struct proxies trusted;

/* The caller, by walking backwards over the whole. */
static struct port_addr model(struct view all, const struct port_addr *peer)
{
    struct port_addr at = *peer;
    while (proxies_have(&trusted, &at)) {
        size_t start = all.len;
        struct port_addr next;
        while (start > 0 && all.ptr[start - 1] != ',')
            start--;
        if (forwarded_entry(view_from(all, start), &next) != OK)
            break;
        at = next;
        if (start == 0)
            break;
        all = view_first(all, start - 1);
    }
    return at;
}

/* What is taken prints and is taken again. */
static void check_entry(struct view v)
{
    struct port_addr a, b;
    char text[PORT_ADDR_CAP];
    if (forwarded_entry(v, &a) != OK)
        return;
    assert(a.scope == 0);
    port_addr_print(&a, text, sizeof(text));
    assert(forwarded_entry(view_str(text), &b) == OK);
    assert(memcmp(a.ip, b.ip, sizeof(a.ip)) == 0 && a.port == b.port);
}

static bool same(const struct port_addr *a, const struct port_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_addr peer = {.port = 9};
    struct forwarded whole, lines;
    if (size < sizeof(peer.ip) || size > sizeof(peer.ip) + TEXT_MAX)
        return 0;
    assert(proxies_read(view_str(TRUSTED), &trusted) == OK);
    memcpy(peer.ip, data, sizeof(peer.ip));
    struct view v = view_of(data + sizeof(peer.ip), size - sizeof(peer.ip));
    forwarded_begin(&whole, &trusted, &peer);
    forwarded_line(&whole, v);
    struct port_addr want = model(v, &peer);
    assert(same(&whole.caller, &want));
    assert(proxies_have(&trusted, &peer) || same(&whole.caller, &peer));
    forwarded_begin(&lines, &trusted, &peer);
    for (ptrdiff_t comma; (comma = view_find(v, ',')) >= 0;) {
        check_entry(view_first(v, (size_t)comma));
        forwarded_line(&lines, view_first(v, (size_t)comma));
        v = view_from(v, (size_t)comma + 1);
    }
    check_entry(v);
    forwarded_line(&lines, v);
    assert(same(&lines.caller, &whole.caller) && lines.found == whole.found);
    return 0;
}
