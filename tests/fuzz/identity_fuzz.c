/*
 * The two files of a machine's identity on a disk that may be damaged. The
 * first byte chooses: 0 the input is the identity file, 1 it is machine.key,
 * 2 both are good but for edits: pairs of (distance to the next edit, value
 * to add), identity first; 3 the same, cut by the last pair.
 *
 * Only what was sealed is opened: a changed byte never gives another key. And
 * where a file is, it is never replaced.
 */
#include "core/identity.h"

#include <string.h>

#include "fake/port_keep.h"

#define ID_PATH  "/state/identity"
#define KEY_PATH "/config/machine.key"

static struct identity good;
static uint8_t id_file[80], key_file[32];

static struct fake_file *there(const char *path)
{
    struct fake_file *f = fake_find(path);
    assert(f != NULL);
    return f;
}

static void make_good(void)
{
    char buf[1024];
    struct text why;
    TEXT_OF(&why, buf);
    fake_reset_files();
    fake.random = 1;
    assert(identity_load_or_make("/state", "/config", &good, &why) == OK);
    assert(there(ID_PATH)->len == sizeof id_file);
    assert(there(KEY_PATH)->len == sizeof key_file);
    memcpy(id_file, there(ID_PATH)->data, sizeof id_file);
    memcpy(key_file, there(KEY_PATH)->data, sizeof key_file);
}

static uint8_t *byte_of(size_t at)
{
    return at < sizeof id_file ? &there(ID_PATH)->data[at]
                               : &there(KEY_PATH)->data[at - sizeof id_file];
}

/* False when nothing was changed after all. */
static bool edit(struct view in)
{
    size_t at = 0;
    for (; in.len >= 2; in = view_from(in, 2)) {
        at += in.ptr[0];
        if (at >= sizeof id_file + sizeof key_file)
            break;
        *byte_of(at) = (uint8_t)(*byte_of(at) + in.ptr[1]);
    }
    return memcmp(there(ID_PATH)->data, id_file, sizeof id_file) != 0 ||
           memcmp(there(KEY_PATH)->data, key_file, sizeof key_file) != 0;
}

/* False when the files are as they were made. */
static bool damage(uint8_t how, struct view in)
{
    bool changed;
    switch (how & 3) {
    case 0: fake_put(ID_PATH, in); return !view_eq(in, VIEW_ARRAY(id_file));
    case 1: fake_put(KEY_PATH, in); return !view_eq(in, VIEW_ARRAY(key_file));
    case 2: return edit(in);
    default:
        changed = edit(in);
        if (in.len > 0)
            there(ID_PATH)->len = in.ptr[in.len - 1] % sizeof id_file;
        return changed || in.len > 0;
    }
}

static bool of_another_version(void)
{
    const struct fake_file *f = there(ID_PATH);
    return f->len == sizeof id_file && memcmp(f->data, id_file, 7) == 0 &&
           f->data[7] != id_file[7] && there(KEY_PATH)->len == sizeof key_file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t id_before[FAKE_FILE_BYTES], key_before[FAKE_FILE_BYTES];
    struct identity id;
    char buf[1024];
    struct text why;
    if (size < 1 || size > FAKE_FILE_BYTES)
        return 0;
    if (good.fingerprint[0] == '\0')
        make_good();
    fake_reset_files();
    fake_put(ID_PATH, VIEW_ARRAY(id_file));
    fake_put(KEY_PATH, VIEW_ARRAY(key_file));
    bool changed = damage(data[0], view_of(data + 1, size - 1));
    memcpy(id_before, there(ID_PATH)->data, sizeof id_before);
    memcpy(key_before, there(KEY_PATH)->data, sizeof key_before);
    TEXT_OF(&why, buf);
    int err = identity_load_or_make("/state", "/config", &id, &why);
    assert((err == OK) == (why.len == 0) && !why.cut);
    assert((err == OK) == !changed);
    assert(err == OK || err == ERR_DAMAGED || err == ERR_UNSUPPORTED);
    if (err == OK)
        assert(memcmp(&id, &good, sizeof id) == 0);
    if (of_another_version())
        assert(err == ERR_UNSUPPORTED);
    assert(fake.count == 2);
    assert(memcmp(id_before, there(ID_PATH)->data, sizeof id_before) == 0);
    assert(memcmp(key_before, there(KEY_PATH)->data, sizeof key_before) == 0);
    return 0;
}
