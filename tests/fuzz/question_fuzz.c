/*
 * The records of an answer, off the ring they arrive in. The first byte says
 * where in its ring the answer begins, the second how it is cut; the rest is
 * the answer. Cut anywhere it gives the records that a model finds who has
 * all bytes, and the same end; and what waits always leaves room for the rest
 * of its record.
 */
#include "core/question.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define RECORDS_MAX 8192
#define TAIL_MAX    (QUESTION_RECORD_MAX + 2) /* one byte less than a whole */

static uint8_t ring_bytes[QUESTION_RING];

/* What the model found, and how much of it the ring has given. */
static struct view wanted[RECORDS_MAX];
static size_t wanted_count, given;

/* The number in front of a record, of at most three bytes: how many they are;
 * 0: they end early; ERR_PROTO. */
static int head_of(struct view in, size_t *len)
{
    *len = 0;
    for (int i = 0; i < 3; i++) {
        if ((size_t)i == in.len)
            return 0;
        *len += (size_t)(in.ptr[i] & 0x7F) << 7 * i;
        if (in.ptr[i] < 0x80)
            return *len > QUESTION_RECORD_MAX ? ERR_PROTO : i + 1;
    }
    return ERR_PROTO;
}

static int model(struct view in)
{
    wanted_count = given = 0;
    for (;;) {
        size_t len;
        int head = head_of(in, &len);
        if (head <= 0)
            return head;
        if ((size_t)head + len > in.len)
            return OK;
        wanted[wanted_count++] = view_of(in.ptr + head, len);
        in = view_from(in, (size_t)head + len);
    }
}

static void on_record(void *ctx, struct view record)
{
    assert(ctx == &given);
    assert(given < wanted_count && view_eq(record, wanted[given]));
    given++;
}

static int feed(struct view in, uint64_t start, uint32_t cut)
{
    struct ring r;
    int err = OK;
    ring_init(&r, SPAN_ARRAY(ring_bytes), start);
    while (err == OK && in.len > 0) {
        uint32_t room = ring_room(&r), n = 1;
        if (cut > 0) {
            cut = cut * 1664525 + 1013904223;
            n = 1 + (cut >> 16) % ((cut & 0x300) == 0 ? room : 40);
        }
        struct view part = view_first(in, n < room ? n : room);
        assert(ring_write(&r, part) == OK);
        in = view_from(in, part.len);
        err = question_take(&r, on_record, &given);
        assert(err != OK || ring_len(&r) <= TAIL_MAX);
    }
    assert(err == OK || err == ERR_PROTO);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > RECORDS_MAX)
        return 0;
    struct view answer = view_of(data + 2, size - 2);
    uint64_t start = QUESTION_RING - data[0];
    int err = model(answer);
    assert(feed(answer, start, data[1]) == err);
    assert(given == wanted_count);
    return 0;
}
