/* A backup as one file: it comes back as it was, and nothing else is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "relay/bundle.h"

static uint8_t buf[4096];

static struct view made(const struct bundle *b)
{
    struct writer w;
    writer_init(&w, SPAN_ARRAY(buf));
    bundle_write(&w, b);
    assert_int_equal(w.err, OK);
    return writer_view(&w);
}

static struct bundle some(void)
{
    struct bundle b = {.made_ms = 1800000000000};
    b.file[0] = view_str("SQLite format 3");
    b.file[1] = view_str("seed");
    b.file[6] = VIEW_NONE;
    b.has[0] = b.has[1] = b.has[6] = true;
    return b;
}

/* The digest at the end made right again. */
static void seal(size_t len)
{
    hash_once(view_of(buf, len - HASH_LEN), buf + len - HASH_LEN);
}

static void a_bundle_comes_back(void **state)
{
    struct bundle in = some(), out;
    (void)state;
    assert_int_equal(bundle_read(made(&in), &out), OK);
    assert_int_equal(out.made_ms, in.made_ms);
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++) {
        assert_int_equal(out.has[n], in.has[n]);
        assert_true(view_eq(out.file[n], in.file[n]));
    }
    assert_string_equal(bundle_name(0), "server.db");
    assert_string_equal(bundle_name(1), "relay.key");
    assert_null(bundle_name(BUNDLE_FILES_MAX));
}

static void a_bundle_that_was_cut_or_changed_is_none(void **state)
{
    struct bundle in = some(), out;
    (void)state;
    struct view v = made(&in);
    for (size_t len = 0; len < v.len; len++)
        assert_int_equal(bundle_read(view_first(v, len), &out), ERR_DAMAGED);
    for (size_t bit = 0; bit < v.len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int err = bundle_read(v, &out);
        assert_true(err == ERR_DAMAGED || err == ERR_VERSION);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf[v.len] = 0;
    assert_int_equal(bundle_read(view_of(buf, v.len + 1), &out), ERR_DAMAGED);
}

static void a_sealed_lie_is_none(void **state)
{
    struct bundle in = some(), out;
    (void)state;
    struct view v = made(&in);
    buf[11] = 2;
    seal(v.len);
    assert_int_equal(bundle_read(v, &out), ERR_VERSION);
    v = made(&in);
    buf[11] = 0;
    seal(v.len);
    assert_int_equal(bundle_read(v, &out), ERR_DAMAGED);
    v = made(&in);
    buf[23] = 4; /* more files than there are */
    seal(v.len);
    assert_int_equal(bundle_read(v, &out), ERR_DAMAGED);
    v = made(&in);
    buf[34] = 0xff; /* a length of nearly 2^64 */
    seal(v.len);
    assert_int_equal(bundle_read(v, &out), ERR_DAMAGED);
    v = made(&in);
    memcpy(buf + 25, "../../etc", 9); /* a name that is none of ours */
    seal(v.len);
    assert_int_equal(bundle_read(v, &out), ERR_DAMAGED);
    in.has[1] = false; /* without the relay's key */
    assert_int_equal(bundle_read(made(&in), &out), ERR_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_comes_back),
        cmocka_unit_test(a_bundle_that_was_cut_or_changed_is_none),
        cmocka_unit_test(a_sealed_lie_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
