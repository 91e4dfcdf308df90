/*
 * The lease file on a disk that may be damaged. The first byte chooses: 0 the
 * rest is the file; 1 the file is good but for edits: pairs of (distance to
 * the next edit, value to add), and a last odd byte cuts it.
 *
 * What is taken is written again byte for byte; what is not whole gives no
 * epoch; and the file stays as it is.
 */
#include "core/lease.h"

#include <string.h>

#include "fake/port_keep.h"

#define PATH "/state/lease"

static const uint8_t relay[LEASE_RELAY_LEN] = {0x11, 0x22, 0x33};

static struct fake_file *make_good(uint64_t epoch)
{
    struct lease l = {.epoch = 0};
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    memcpy(l.relay, relay, sizeof l.relay);
    assert(lease_keep("/state", &l, epoch, &why) == OK);
    struct fake_file *f = fake_find(PATH);
    assert(f != NULL && f->len == 56);
    return f;
}

static void edit(struct fake_file *f, struct view in)
{
    size_t at = 0;
    for (; in.len >= 2; in = view_from(in, 2)) {
        at += in.ptr[0];
        if (at < f->len)
            f->data[at] = (uint8_t)(f->data[at] + in.ptr[1]);
    }
    if (in.len == 1)
        f->len = in.ptr[0] % 80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t before[FAKE_FILE_BYTES];
    struct lease l;
    char buf[1024];
    struct text why;
    if (size < 1 || size > 1024)
        return 0;
    fake_reset_files();
    if ((data[0] & 1) == 0)
        fake_put(PATH, view_of(data + 1, size - 1));
    else
        edit(make_good(7), view_of(data + 1, size - 1));
    struct fake_file *f = fake_find(PATH);
    size_t len = f->len;
    memcpy(before, f->data, sizeof before);
    TEXT_OF(&why, buf);
    int err = lease_load("/state", relay, &l, &why);
    assert(err == OK || err == ERR_DAMAGED || err == ERR_UNSUPPORTED);
    assert((err == OK) == (why.len == 0) && !why.cut);
    assert(f->len == len && memcmp(before, f->data, sizeof before) == 0);
    assert(memcmp(l.relay, relay, sizeof relay) == 0);
    if (err != OK)
        assert(l.epoch == 0);
    if (l.epoch == 0)
        return 0;
    fake_reset_files();
    f = make_good(l.epoch);
    assert(f->len == len && memcmp(before, f->data, len) == 0);
    return 0;
}
