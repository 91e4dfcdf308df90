/* Frames and the messages inside; see msg.h. */
#include "codec/msg.h"

#include <assert.h>
#include <string.h>

#include <pb_decode.h>
#include <pb_encode.h>

#include "base/err.h"
#include "codec/grpcframe.h"

#define VARINT32_MAX 10 /* bytes of a 64-bit varint */

/* ---- varints ------------------------------------------------------------- */

/* Take a varint off the front. OK, or ERR_PROTO with nothing taken. */
static int take_varint(struct view *in, uint64_t *out)
{
    uint64_t v = 0;
    size_t max = in->len < VARINT32_MAX ? in->len : VARINT32_MAX;
    for (size_t i = 0; i < max; i++) {
        uint8_t b = in->ptr[i];
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            if (i == VARINT32_MAX - 1 && b > 1)
                return ERR_PROTO;
            *in = view_of(in->ptr + i + 1, in->len - i - 1);
            *out = v;
            return OK;
        }
    }
    return ERR_PROTO;
}

static int take_u32(struct view *in, uint32_t *out)
{
    uint64_t v;
    if (take_varint(in, &v) != OK || v > UINT32_MAX)
        return ERR_PROTO;
    *out = (uint32_t)v;
    return OK;
}

static int take_bytes(struct view *in, struct view *out)
{
    uint64_t len;
    if (take_varint(in, &len) != OK || len > in->len)
        return ERR_PROTO;
    *out = view_of(in->ptr, (size_t)len);
    *in = view_of(in->ptr + len, in->len - (size_t)len);
    return OK;
}

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

/* ---- Frame --------------------------------------------------------------- */

#define TAG(field, wire) ((uint32_t)(field) << 3 | (uint32_t)(wire))

/* see msg.h */
int msg_split(struct view frame, int *kind, struct view *body)
{
    uint32_t tag;
    struct view inner;
    if (take_u32(&frame, &tag) != OK || (tag & 7) != PB_WT_STRING)
        return ERR_PROTO;
    if (tag >> 3 == 0 || take_bytes(&frame, &inner) != OK || frame.len != 0)
        return ERR_PROTO;
    *kind = (int)(tag >> 3);
    *body = inner;
    return OK;
}

/* see msg.h */
int msg_decode(struct view body, const pb_msgdesc_t *fields, void *out)
{
    pb_istream_t in = pb_istream_from_buffer(body.ptr, body.len);
    return pb_decode(&in, fields, out) ? OK : ERR_PROTO;
}

/* see msg.h */
int msg_encode(struct span out, int kind, const pb_msgdesc_t *fields,
               const void *src)
{
    pb_ostream_t to = pb_ostream_from_buffer(out.ptr, out.len);
    if (!pb_encode_tag(&to, PB_WT_STRING, (uint32_t)kind) ||
        !pb_encode_submessage(&to, fields, src) || to.bytes_written > INT32_MAX)
        return ERR_FULL;
    return (int)to.bytes_written;
}

/* see msg.h */
int msg_encode_plain(struct span out, const pb_msgdesc_t *fields,
                     const void *src)
{
    pb_ostream_t to = pb_ostream_from_buffer(out.ptr, out.len);
    if (!pb_encode(&to, fields, src) || to.bytes_written > INT32_MAX)
        return ERR_FULL;
    return (int)to.bytes_written;
}

/* see msg.h */
int msg_encode_grpc(struct span out, int kind, const pb_msgdesc_t *fields,
                    const void *src)
{
    if (out.len < GRPCFRAME_HEAD)
        return ERR_FULL;
    struct span rest = {out.ptr + GRPCFRAME_HEAD, out.len - GRPCFRAME_HEAD};
    int len = msg_encode(rest, kind, fields, src);
    if (len < 0 || len > INT32_MAX - GRPCFRAME_HEAD)
        return ERR_FULL;
    grpcframe_head(out.ptr, (uint32_t)len);
    return len + GRPCFRAME_HEAD;
}

/* ---- callback members ---------------------------------------------------- */

static bool blob_decode(pb_istream_t *in, const pb_field_t *field, void **arg)
{
    struct msg_blob *b = *arg;
    size_t len = in->bytes_left;
    (void)field;
    if (len > b->buf.len || !pb_read(in, b->buf.ptr, len))
        return false;
    b->data = view_of(b->buf.ptr, len);
    return true;
}

static bool blob_encode(pb_ostream_t *out, const pb_field_t *field,
                        void *const *arg)
{
    const struct msg_blob *b = *arg;
    if (b->data.len == 0) /* proto3: the default is not sent */
        return true;
    return pb_encode_tag_for_field(out, field) &&
           pb_encode_string(out, b->data.ptr, b->data.len);
}

/* see msg.h */
pb_callback_t msg_blob_in(struct msg_blob *b)
{
    b->data = VIEW_NONE;
    return (pb_callback_t){.funcs.decode = blob_decode, .arg = b};
}

/* see msg.h */
pb_callback_t msg_blob_out(struct msg_blob *b)
{
    return (pb_callback_t){.funcs.encode = blob_encode, .arg = b};
}

static bool strings_decode(pb_istream_t *in, const pb_field_t *field,
                           void **arg)
{
    struct msg_strings *s = *arg;
    size_t len = in->bytes_left;
    (void)field;
    if (s->count + 1 >= s->cap || len >= s->buf.len - s->used)
        return false;
    uint8_t *text = s->buf.ptr + s->used;
    if (!pb_read(in, text, len) || memchr(text, 0, len) != NULL)
        return false;
    text[len] = 0;
    s->used += len + 1;
    s->list[s->count++] = (const char *)text;
    s->list[s->count] = NULL;
    return true;
}

static bool strings_encode(pb_ostream_t *out, const pb_field_t *field,
                           void *const *arg)
{
    const struct msg_strings *s = *arg;
    for (size_t i = 0; i < s->count; i++) {
        struct view v = view_str(s->list[i]);
        if (!pb_encode_tag_for_field(out, field) ||
            !pb_encode_string(out, v.ptr, v.len))
            return false;
    }
    return true;
}

/* see msg.h */
pb_callback_t msg_strings_in(struct msg_strings *s)
{
    assert(s->cap >= 1);
    s->count = 0;
    s->used = 0;
    s->list[0] = NULL;
    return (pb_callback_t){.funcs.decode = strings_decode, .arg = s};
}

/* see msg.h */
pb_callback_t msg_strings_out(struct msg_strings *s)
{
    return (pb_callback_t){.funcs.encode = strings_encode, .arg = s};
}

/* ---- Data ---------------------------------------------------------------- */

/* Each field with its wire type; `payload` stands last, so that the bytes
 * may follow from elsewhere. */
enum data_tag {
    DATA_CHANNEL = TAG(1, PB_WT_VARINT),
    DATA_STREAM = TAG(2, PB_WT_VARINT),
    DATA_OFFSET = TAG(3, PB_WT_VARINT),
    DATA_PAYLOAD = TAG(4, PB_WT_STRING),
    DATA_FIN = TAG(5, PB_WT_VARINT),
};

#define DATA_FIELD_MAX 5

/* Step over a field that we do not know. */
static int skip_field(struct view *in, uint32_t tag)
{
    uint64_t v;
    struct view bytes;
    size_t fixed = (tag & 7) == PB_WT_64BIT ? 8 : 4;
    if (tag >> 3 == 0 || tag >> 3 <= DATA_FIELD_MAX)
        return ERR_PROTO; /* a field we know, of another type */
    if ((tag & 7) == PB_WT_VARINT)
        return take_varint(in, &v);
    if ((tag & 7) == PB_WT_STRING)
        return take_bytes(in, &bytes);
    if ((tag & 7) != PB_WT_64BIT && (tag & 7) != PB_WT_32BIT)
        return ERR_PROTO;
    if (in->len < fixed)
        return ERR_PROTO;
    *in = view_from(*in, fixed);
    return OK;
}

static int take_bool(struct view *in, bool *out)
{
    uint64_t v;
    if (take_varint(in, &v) != OK)
        return ERR_PROTO;
    *out = v != 0;
    return OK;
}

static int take_data_field(struct view *in, struct msg_data *d,
                           struct view *payload)
{
    uint32_t tag;
    if (take_u32(in, &tag) != OK)
        return ERR_PROTO;
    if (tag == DATA_CHANNEL)
        return take_u32(in, &d->channel);
    if (tag == DATA_STREAM)
        return take_u32(in, &d->stream);
    if (tag == DATA_OFFSET)
        return take_varint(in, &d->offset);
    if (tag == DATA_PAYLOAD)
        return take_bytes(in, payload);
    if (tag == DATA_FIN)
        return take_bool(in, &d->fin);
    return skip_field(in, tag);
}

/* see msg.h */
int msg_data_parse(struct view body, struct msg_data *out, struct view *payload)
{
    struct msg_data d = {0};
    struct view bytes = {body.ptr, 0};
    while (body.len > 0) {
        if (take_data_field(&body, &d, &bytes) != OK)
            return ERR_PROTO;
    }
    *out = d;
    *payload = bytes;
    return OK;
}

static size_t put_field(uint8_t *out, enum data_tag tag, uint64_t v)
{
    if (v == 0) /* proto3: the default is not sent */
        return 0;
    out[0] = (uint8_t)tag;
    return 1 + put_varint(out + 1, v);
}

/* The fields of Data up to the payload's first byte; at most 29 bytes. */
static size_t put_data_fields(uint8_t *out, const struct msg_data *d,
                              size_t len)
{
    size_t n = put_field(out, DATA_CHANNEL, d->channel);
    n += put_field(out + n, DATA_STREAM, d->stream);
    n += put_field(out + n, DATA_OFFSET, d->offset);
    n += put_field(out + n, DATA_FIN, d->fin);
    return n + put_field(out + n, DATA_PAYLOAD, len);
}

_Static_assert(GRPCFRAME_HEAD + 2 + 4 + (6 + 6 + 11 + 2 + 4) <=
                   MSG_DATA_HEAD_MAX,
               "prefix, Frame tag and length, Data fields");

/* see msg.h */
size_t msg_data_head(uint8_t out[MSG_DATA_HEAD_MAX], const struct msg_data *d,
                     size_t len)
{
    uint8_t fields[MSG_DATA_HEAD_MAX];
    assert(len <= MSG_DATA_PAYLOAD_MAX);
    size_t fields_len = put_data_fields(fields, d, len);
    size_t body_len = fields_len + len;
    size_t n = GRPCFRAME_HEAD;
    n += put_varint(out + n, TAG(MSG_DATA, PB_WT_STRING));
    n += put_varint(out + n, body_len);
    grpcframe_head(out, (uint32_t)(n - GRPCFRAME_HEAD + body_len));
    memcpy(out + n, fields, fields_len);
    return n + fields_len;
}
