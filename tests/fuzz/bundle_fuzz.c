/*
 * A backup from anywhere, as it is and with its digest made right: what is
 * taken is written again as other bytes that mean the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "relay/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct view in)
{
    struct bundle b, again;
    struct writer w;

    if (bundle_read(in, &b) != OK)
        return;
    size_t room = in.len + BUNDLE_OVERHEAD;
    uint8_t *out = malloc(room);
    writer_init(&w, (struct span){out, room});
    bundle_write(&w, &b);
    if (w.err != OK || bundle_read(writer_view(&w), &again) != OK ||
        again.made_ms != b.made_ms)
        abort();
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++)
        if (again.has[n] != b.has[n] || !view_eq(again.file[n], b.file[n]))
            abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take(view_of(data, size));
    uint8_t *sealed = malloc(size + HASH_LEN);
    if (size > 0)
        memcpy(sealed, data, size);
    hash_once(view_of(data, size), sealed + size);
    take(view_of(sealed, size + HASH_LEN));
    free(sealed);
    return 0;
}
