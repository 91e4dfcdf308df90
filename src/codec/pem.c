/* PEM in pieces, by BearSSL's decoder; see pem.h. */
#include "codec/pem.h"

#include <string.h>

static void on_bytes(void *ctx, const void *bytes, size_t len)
{
    struct pem *p = ctx;
    if (len > p->room.len - p->len) {
        p->too_big = true;
        return;
    }
    memcpy(p->room.ptr + p->len, bytes, len);
    p->len += len;
}

void pem_init(struct pem *p, struct span room)
{
    br_pem_decoder_init(&p->dec);
    p->room = room;
    p->len = 0;
    p->label[0] = '\0';
    p->inside = p->too_big = false;
}

/* BearSSL leaves the dashes where a line ends in CRLF. */
static void keep_label(struct pem *p)
{
    struct view name = view_str(br_pem_decoder_name(&p->dec));
    while (name.len > 0 && name.ptr[name.len - 1] == '-')
        name.len--;
    bytes_to_str(p->label, sizeof(p->label), name);
}

static void begin(struct pem *p)
{
    keep_label(p);
    p->len = 0;
    p->inside = true;
    p->too_big = false;
    br_pem_decoder_setdest(&p->dec, on_bytes, p);
}

enum pem_event pem_feed(struct pem *p, struct view *in)
{
    while (in->len > 0) {
        size_t n = br_pem_decoder_push(&p->dec, in->ptr, in->len);
        *in = view_from(*in, n);
        switch (br_pem_decoder_event(&p->dec)) {
        case BR_PEM_BEGIN_OBJ: begin(p); break;
        case BR_PEM_END_OBJ:
            p->inside = false;
            return p->too_big ? PEM_BAD : PEM_BLOCK;
        case BR_PEM_ERROR: p->inside = false; return PEM_BAD;
        default: break;
        }
    }
    return PEM_MORE;
}

enum pem_event pem_end(struct pem *p)
{
    struct view line_end = view_str("\n");
    enum pem_event event = pem_feed(p, &line_end);
    if (event != PEM_MORE || !p->inside)
        return event;
    p->inside = false;
    return PEM_BAD;
}

const char *pem_label(const struct pem *p)
{
    return p->label;
}

struct view pem_der(const struct pem *p)
{
    return view_of(p->room.ptr, p->len);
}

const char *pem_why(const struct pem *p)
{
    return p->too_big ? "a PEM block is larger than any of its kind"
                      : "a PEM block is damaged or cut short";
}
