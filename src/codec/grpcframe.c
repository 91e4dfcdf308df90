/* gRPC message framing; see grpcframe.h. */
#include "codec/grpcframe.h"

#include <string.h>

#include "base/err.h"

void grpcframe_head(uint8_t out[GRPCFRAME_HEAD], uint32_t len)
{
    struct writer w;
    writer_init(&w, (struct span){out, GRPCFRAME_HEAD});
    write_u8(&w, 0);
    write_u32(&w, len);
}

void grpcframe_init(struct grpcframe *g, struct span buf)
{
    *g = (struct grpcframe){.buf = buf};
}

static int take_head(struct grpcframe *g, struct view *in)
{
    while (g->head_len < GRPCFRAME_HEAD) {
        if (in->len == 0)
            return ERR_MORE;
        g->head[g->head_len++] = in->ptr[0];
        *in = view_from(*in, 1);
    }
    struct reader r = {VIEW_ARRAY(g->head)};
    uint8_t compressed;
    if (read_u8(&r, &compressed) != OK || read_u32(&r, &g->want) != OK)
        return ERR_MORE;
    if (compressed != 0)
        return ERR_PROTO;
    return g->want > g->buf.len ? ERR_TOO_BIG : OK;
}

int grpcframe_next(struct grpcframe *g, struct view *in, struct view *message)
{
    int err = take_head(g, in);
    if (err != OK)
        return err;
    if (g->len == 0 && in->len >= g->want) {
        *message = view_first(*in, g->want);
        *in = view_from(*in, g->want);
        g->head_len = 0;
        return 1;
    }
    struct view part = view_first(*in, g->want - g->len);
    if (part.len > 0)
        memcpy(g->buf.ptr + g->len, part.ptr, part.len);
    g->len += part.len;
    *in = view_from(*in, part.len);
    if (g->len < g->want)
        return ERR_MORE;
    *message = view_of(g->buf.ptr, g->want);
    g->head_len = 0;
    g->len = 0;
    return 1;
}
