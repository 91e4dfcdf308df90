/* PEM as people keep it. */
#include "codec/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "unit/cuts.h"

#define BLOCK(label, base64) \
    "-----BEGIN " label "-----\n" base64 "\n-----END " label "-----\n"

/* What came, as one line: labels and contents, or "!" and the reason. */
static char heard[512];

static void note(struct pem *p, enum pem_event event)
{
    strcat(heard, "[");
    if (event == PEM_BAD) {
        strcat(strcat(heard, "!"), pem_why(p));
    } else {
        strcat(strcat(heard, pem_label(p)), ":");
        strncat(heard, (const char *)pem_der(p).ptr, pem_der(p).len);
    }
    strcat(heard, "]");
}

static const char *hear(const char *text, size_t cut, size_t room)
{
    static uint8_t bytes[256];
    struct pem p;
    struct view left = view_str(text);
    enum pem_event event;
    heard[0] = '\0';
    pem_init(&p, (struct span){bytes, room});
    while (left.len > 0) {
        struct view piece = cuts_guarded(view_first(left, cut));
        left = view_from(left, piece.len);
        while ((event = pem_feed(&p, &piece)) != PEM_MORE)
            note(&p, event);
    }
    while ((event = pem_end(&p)) != PEM_MORE)
        note(&p, event);
    return heard;
}

static void assert_heard(const char *text, const char *wanted)
{
    for (size_t cut = 1; cut <= strlen(text); cut++)
        assert_string_equal(hear(text, cut, 256), wanted);
}

static void blocks_are_found_among_remarks(void **state)
{
    (void)state;
    assert_heard("Bag Attributes\n  friendlyName: x\n" BLOCK(
                     "CERTIFICATE", "YWJj") "\n# and\n" BLOCK("EC PRIVATE KEY",
                                                              "ZGVm\nZ2hp"),
                 "[CERTIFICATE:abc][EC PRIVATE KEY:defghi]");
}

static void line_ends_may_be_of_either_kind(void **state)
{
    (void)state;
    assert_heard("-----BEGIN X-----\r\nYWJj\r\n-----END X-----\r\n", "[X:abc]");
}

static void the_last_line_may_lack_its_end(void **state)
{
    (void)state;
    assert_heard("-----BEGIN X-----\nYWJj\n-----END X-----", "[X:abc]");
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    assert_heard("no block at all\n", "");
    assert_string_equal(hear("", 1, 256), "");
}

static void a_text_that_stops_inside_a_block_is_bad(void **state)
{
    (void)state;
    assert_heard("-----BEGIN X-----\nYWJj\n",
                 "[!a PEM block is damaged or cut short]");
    assert_heard("-----BEGIN X-----", "[!a PEM block is damaged or cut short]");
}

static void what_is_no_base64_is_bad(void **state)
{
    (void)state;
    assert_string_equal(hear(BLOCK("X", "YW!j"), 9, 256),
                        "[!a PEM block is damaged or cut short]");
}

static void the_room_is_kept(void **state)
{
    (void)state;
    assert_string_equal(hear(BLOCK("X", "YWJj"), 100, 3), "[X:abc]");
    assert_string_equal(hear(BLOCK("X", "YWJjZA=="), 100, 3),
                        "[!a PEM block is larger than any of its kind]");
    assert_string_equal(hear(BLOCK("X", "YWJjZA==") BLOCK("Y", "YWJj"), 7, 3),
                        "[!a PEM block is larger than any of its kind]"
                        "[Y:abc]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_among_remarks),
        cmocka_unit_test(line_ends_may_be_of_either_kind),
        cmocka_unit_test(the_last_line_may_lack_its_end),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(a_text_that_stops_inside_a_block_is_bad),
        cmocka_unit_test(what_is_no_base64_is_bad),
        cmocka_unit_test(the_room_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
