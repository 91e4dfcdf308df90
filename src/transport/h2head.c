/* Header fields of a gRPC call; see h2head.h. */
#include "transport/h2head.h"

#include "base/err.h"
#include "base/text.h"

/* see h2head.h */
void h2head_init(struct h2head *h, const char *path)
{
    *h = (struct h2head){.path = path, .grpc_status = -1};
}

static bool is_grpc_type(struct view v)
{
    static const char type[] = "application/grpc";
    struct view rest = view_from(v, sizeof(type) - 1);
    return view_starts(v, view_str(type)) &&
           (rest.len == 0 || rest.ptr[0] == '+' || rest.ptr[0] == ';');
}

/* A decimal number up to 999, or `other`. */
static int small_number(struct view v, int other)
{
    uint64_t n;
    return text_parse_u64(v, 999, &n) == OK ? (int)n : other;
}

/* see h2head.h */
void h2head_read(struct h2head *h, struct view name, struct view value)
{
    h->bytes += (uint32_t)(name.len + value.len);
    if (view_is(name, ":method"))
        h->is_post = view_is(value, "POST");
    else if (view_is(name, ":path"))
        h->is_path = h->path != NULL && view_is(value, h->path);
    else if (view_is(name, "content-type"))
        h->is_grpc = is_grpc_type(value);
    else if (view_is(name, ":status"))
        h->http = (uint16_t)small_number(value, 0);
    else if (view_is(name, "grpc-status"))
        h->grpc_status = (int16_t)small_number(value, GRPC_UNKNOWN);
}

/* see h2head.h */
int h2head_status(const struct h2head *h)
{
    switch (h->http) {
    case 401: return GRPC_UNAUTHENTICATED;
    case 403: return GRPC_DENIED;
    case 404: return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return GRPC_UNAVAILABLE;
    }
    return GRPC_UNKNOWN;
}
