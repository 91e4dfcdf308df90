/* Cookies; see cookie.h. */
#include "codec/cookie.h"

#include "base/err.h"

static struct view trim(struct view v)
{
    while (v.len > 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = view_from(v, 1);
    while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    return v;
}

/* cookie-octet of RFC 6265, 4.1.1; ';' cannot be here. */
static bool is_octet(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != '\\';
}

static bool is_value(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!is_octet(v.ptr[i]))
            return false;
    return true;
}

int cookie_get(struct view header, const char *name, struct view *out)
{
    struct view found = VIEW_NONE;
    uint32_t count = 0;

    while (header.len > 0) {
        ptrdiff_t end = view_find(header, ';');
        struct view pair = end < 0 ? header : view_first(header, (size_t)end);
        ptrdiff_t equals = view_find(pair, '=');
        header = end < 0 ? VIEW_NONE : view_from(header, (size_t)end + 1);
        if (equals < 0 ||
            !view_is(trim(view_first(pair, (size_t)equals)), name))
            continue;
        found = trim(view_from(pair, (size_t)equals + 1));
        count++;
    }
    if (count == 0)
        return ERR_NOT_FOUND;
    if (count > 1 || !is_value(found))
        return ERR_PROTO;
    *out = found;
    return OK;
}

void cookie_set(struct text *t, const char *name, const char *value,
                bool secure, uint64_t max_age_s)
{
    text_join(t, name, "=", value, "; Path=/; Max-Age=", NULL);
    text_u64(t, max_age_s);
    text_join(t, "; HttpOnly; SameSite=Strict", secure ? "; Secure" : "", NULL);
}
