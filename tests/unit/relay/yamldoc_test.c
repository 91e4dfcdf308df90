/* YAML for configurations: what is taken, and what is refused where. */
#include "relay/yamldoc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"

#define NODES 32

static uint8_t memory[YAMLDOC_MEMORY];
static struct yamldoc_node nodes[NODES];
static char reason[512];

static int read_view(struct view text)
{
    struct text why;
    TEXT_OF(&why, reason);
    int n = yamldoc_read(cuts_guarded(text), SPAN_ARRAY(memory), nodes, NODES,
                         &why);
    assert_int_equal(n >= 0, why.len == 0);
    return n;
}

static int read_doc(const char *text)
{
    return read_view(view_str(text));
}

static void assert_node(int at, const char *key, const char *value,
                        unsigned depth, int parent, uint32_t line)
{
    const struct yamldoc_node *n = &nodes[at];
    assert_true(view_is(n->key, key));
    assert_int_equal(n->kind == YAMLDOC_SCALAR, value != NULL);
    if (value != NULL)
        assert_true(view_is(n->value, value));
    assert_int_equal(n->depth, depth);
    assert_int_equal(n->parent, parent);
    assert_int_equal(n->line, line);
}

static void maps_lists_and_scalars_become_a_table(void **state)
{
    (void)state;
    assert_int_equal(read_doc("# remark\n"
                              "name: box\n"
                              "tls:\n"
                              "  key: 'k.pem'\n"
                              "  more: {a: 1}\n"
                              "from: [x, \"y\"]\n"
                              "last: |\n"
                              "  two\n"
                              "  lines\n"),
                     9);
    assert_node(0, "name", "box", 0, -1, 2);
    assert_node(1, "tls", NULL, 0, -1, 3);
    assert_node(2, "key", "k.pem", 1, 1, 4);
    assert_node(3, "more", NULL, 1, 1, 5);
    assert_node(4, "a", "1", 2, 3, 5);
    assert_node(5, "from", NULL, 0, -1, 6);
    assert_node(6, "", "x", 1, 5, 6);
    assert_node(7, "", "y", 1, 5, 6);
    assert_node(8, "last", "two\nlines\n", 0, -1, 7);
    assert_int_equal(nodes[5].kind, YAMLDOC_LIST);
    assert_true(nodes[0].plain && !nodes[2].plain && !nodes[7].plain);
}

static void an_empty_document_has_no_nodes(void **state)
{
    static const char *const texts[] = {"",      "\n",       "# nothing\n",
                                        "---\n", "--- {}\n", "---\n...\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(read_doc(texts[i]), 0);
}

static void what_surprises_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"a: 1\na: 2\n", "line 2: the key a stands in line 1 already"},
        {"m:\n  k: 1\n  k: 2\n", "line 3: the key k stands in line 2 already"},
        {"a: &x 1\n", "line 1: anchors (&) and tags (!) are not taken"},
        {"a: &x {b: 1}\n", "line 1: anchors (&) and tags (!) are not taken"},
        {"a: !!int 1\n", "line 1: anchors (&) and tags (!) are not taken"},
        {"a: 1\nb: *a\n", "line 2: aliases (*) are not taken"},
        {"%YAML 1.1\n---\na: 1\n", "line 1: directives (%) are not taken"},
        {"%TAG ! !x\n---\na: 1\n", "line 1: directives (%) are not taken"},
        {"a: 1\n---\nb: 1\n", "line 2: a second document (---) is not taken"},
        {"- a\n", "line 1: \"key: value\" is expected, not a list"},
        {"word\n", "line 1: \"key: value\" is expected"},
        {"? [a]\n: b\n", "line 1: a key must be a text"},
        {"? {a: 1}\n: b\n", "line 1: a key must be a text"},
        {"'': b\n", "line 1: an empty key"},
        {"a: \"\\0\"\n", "line 1: a control character in a text"},
        {"a: \"\\e[2J\"\n", "line 1: a control character in a text"},
        {"a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}\n",
         "line 1: this is nested too deeply"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(read_doc(bad[i].text) < 0);
        assert_string_equal(reason, bad[i].why);
    }
}

static void what_is_no_yaml_is_refused(void **state)
{
    static const char *const bad[] = {"a: [",    "a: b: c\n", "\ta: 1\n",
                                      "a: 'x\n", "{a: 1\n",   "a: 1\n b: 2\n"};
    static const uint8_t bytes[] = {'a', ':', ' ', 0xff, '\n'};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_doc(bad[i]), ERR_PROTO);
        assert_true(strncmp(reason, "line ", 5) == 0);
    }
    assert_int_equal(read_view(VIEW_ARRAY(bytes)), ERR_PROTO);
    assert_non_null(strstr(reason, "UTF-8"));
}

static void there_are_bounds(void **state)
{
    static char text[YAMLDOC_TEXT_MAX + 2];
    (void)state;
    memset(text, '#', sizeof text - 1);
    assert_int_equal(read_doc(text), ERR_TOO_BIG);
    text[YAMLDOC_TEXT_MAX] = '\0';
    assert_int_equal(read_doc(text), 0);
    char *at = text;
    for (int i = 0; i <= NODES; i++)
        at += sprintf(at, "k%d: v\n", i);
    assert_int_equal(read_doc(text), ERR_TOO_BIG);
    assert_non_null(strstr(reason, "line 33: there are more entries"));
}

/* Brackets without an end, and one key of 16 KiB: refused, within the memory
 * that is given. */
static void a_document_may_not_take_more_than_its_memory(void **state)
{
    static char text[YAMLDOC_TEXT_MAX + 1];
    (void)state;
    memset(text, '[', YAMLDOC_TEXT_MAX);
    assert_true(read_doc(text) < 0);
    memset(text, '{', YAMLDOC_TEXT_MAX);
    assert_true(read_doc(text) < 0);
    memset(text, 'k', YAMLDOC_TEXT_MAX);
    assert_true(read_doc(text) < 0);
    memcpy(text, "a: ", 3);
    assert_int_equal(read_doc(text), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lists_and_scalars_become_a_table),
        cmocka_unit_test(an_empty_document_has_no_nodes),
        cmocka_unit_test(what_surprises_is_refused_with_its_line),
        cmocka_unit_test(what_is_no_yaml_is_refused),
        cmocka_unit_test(there_are_bounds),
        cmocka_unit_test(a_document_may_not_take_more_than_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
