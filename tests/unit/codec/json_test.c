/*
 * JSON: what RFC 8259 allows and what it does not, in the manner of the
 * "JSON Parsing Test Suite" (y_ and n_ cases); our own bounds; the questions;
 * and the writer, whose output must read back.
 */
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

enum { TOKENS = 64 };

static jsmntok_t tok[TOKENS];
static struct json_doc doc;

static int parse(const char *text)
{
    return json_parse(&doc, view_str(text), tok, TOKENS);
}

/* Parse from a block of the exact size, so that ASan sees a step outside. */
static int parse_exact(struct view in)
{
    uint8_t *block = malloc(in.len + (in.len == 0));
    struct json_doc d;

    assert_non_null(block);
    if (in.len > 0)
        memcpy(block, in.ptr, in.len);
    int err = json_parse(&d, view_of(block, in.len), tok, TOKENS);
    free(block);
    return err;
}

/* ---- the grammar --------------------------------------------------------- */

static const char *const good[] = {
    "{}",
    "[]",
    "0",
    "-0",
    "12",
    "-1.5e+10",
    "1E400",
    "0.0",
    "0e1",
    "1e-2",
    "\"\"",
    "true",
    "false",
    "null",
    " \t\r\n[ ]\t\r\n ",
    "[1 , 2,3]",
    "[[],[[]],{}]",
    "{\"a\":{},\"b\":[],\"c\":\"\"}",
    "{ \"a\" : 1 , \"b\" : [ true , false , null ] }",
    "{\"\":0}",
    "{\"a\":1,\"A\":2}",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"\\u0000\\u00e9\\uD83D\\uDE00\"]",
    "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F\"]",
    "[\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"]",
    "[\" a\",\" \",\"\x20\x20\"]",
    "{\" a \":1,\"a\":2}",
    "[\"{[,:]}\",\"//\",\"\\\\\"]",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    "[123456789012345678901234567890]",
};

static void good_texts_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (parse_exact(view_str(good[i])) != OK)
            fail_msg("refused: %s", good[i]);
}

static void bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        /* punctuation */
        "[1 2]",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1;2]",
        "[1:2]",
        "]",
        "}",
        ",",
        ":",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "[]]",
        "{}}",
        "[] []",
        "[],",
        "{},{}",
        "1 2",
        "true false",
        "\"a\" \"b\"",
        "{\"a\"}",
        "{\"a\":}",
        "{:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\",\"b\"}",
        "{\"a\":1:2}",
        "{\"a\"::1}",
        "{\"a\":\"b\":1}",
        "{\"a\":1,\"b\"}",
        "{\"a\":1 2}",
        "{\"a\":[1 2]}",
        "[{\"a\":1}{}]",
        "[[] []]",
        "[\"a\" \"b\"]",
        "[\"a\":1]",
        "{[]:1}",
        "{{}:1}",
        "{[1]}",
        /* names */
        "{a:1}",
        "{1:1}",
        "{null:1}",
        "{'a':1}",
        "{\"a\":1,b:2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]",
        "{\"\":1,\"\":2}",
        /* numbers and words */
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x10",
        "1_0",
        "1e1.5",
        "--1",
        "1-",
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "True",
        "TRUE",
        "nul",
        "nulll",
        "tru",
        "truefalse",
        "undefined",
        "[1,-]",
        "[1.]",
        "{\"a\":+1}",
        "[01]",
        "1a",
        "[1a]",
        "a",
        "@",
        /* strings */
        "[\"\t\"]",
        "[\"\n\"]",
        "[\"\x1f\"]",
        "[\"\\x\"]",
        "[\"\\'\"]",
        "[\"\\u\"]",
        "[\"\\u12\"]",
        "[\"\\u12G4\"]",
        "[\"\\U1234\"]",
        "[\"\\a\"]",
        "['a']",
        "[\"\\ud800\"]",
        "[\"\\udc00\"]",
        "[\"\\ud800\\ud800\"]",
        "[\"\\ud800x\"]",
        "[\"\\ud800\\n\"]",
        "[\"\\udc00\\ud800\"]",
        "{\"\\ud800\":1}",
        /* UTF-8 */
        "[\"\x80\"]",
        "[\"\xC3\"]",
        "[\"\xC0\x80\"]",
        "[\"\xC1\xBF\"]",
        "[\"\xE0\x80\x80\"]",
        "[\"\xED\xA0\x80\"]",
        "[\"\xF0\x80\x80\x80\"]",
        "[\"\xF4\x90\x80\x80\"]",
        "[\"\xF5\x80\x80\x80\"]",
        "[\"\xFF\"]",
        "[\"\xE2\x82\"]",
        "{\"\xFF\":1}",
        "\xEF\xBB\xBF{}",
        "[\xC3\xA9]",
        /* other white space, comments */
        "[\x0B]",
        "[\x0C]",
        "[\xC2\xA0]",
        "[1]/**/",
        "[1]//",
        "/**/[]",
        "#\n[]",
        "[1]\x01",
        "\\n[]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int err = parse_exact(view_str(bad[i]));
        if (err != ERR_PROTO)
            fail_msg("%s: %d", bad[i], err);
    }
}

static void a_nul_anywhere_is_refused(void **state)
{
    char text[] = "{\"a\":[1,\"b\"]} ";

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char c = text[i];
        text[i] = '\0';
        assert_int_equal(parse_exact(view_of(text, sizeof text - 1)),
                         ERR_PROTO);
        text[i] = c;
    }
    assert_int_equal(parse_exact(view_of("\0", 1)), ERR_PROTO);
    assert_int_equal(parse_exact(view_of("{}\0", 3)), ERR_PROTO);
}

static void every_truncation_wants_more(void **state)
{
    static const char text[] =
        "{\"name\":\"a\\n\\ud83d\\ude00\",\"list\":[1,{\"x\":null}]}";

    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(parse_exact(view_of(text, n)), ERR_MORE);
    assert_int_equal(parse_exact(view_str(text)), OK);
    assert_int_equal(parse_exact(view_str(" \n")), ERR_MORE);
}

static void no_truncation_of_a_good_text_in_brackets_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (good[i][0] != '{' && good[i][0] != '[' && good[i][0] != '"')
            continue;
        for (size_t n = 0; n < strlen(good[i]); n++)
            assert_int_not_equal(parse_exact(view_of(good[i], n)), OK);
    }
}

/* ---- bounds -------------------------------------------------------------- */

static void seventeen_levels_are_too_many(void **state)
{
    (void)state;
    assert_int_equal(parse("[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]"), OK);
    assert_int_equal(parse("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), ERR_TOO_BIG);
    assert_int_equal(parse("{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"),
                     ERR_TOO_BIG);
}

static void depth_is_of_nesting_not_of_number(void **state)
{
    (void)state;
    assert_int_equal(parse("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                           "[],{\"a\":{}},{\"a\":{}}]"),
                     OK);
}

static void the_tokens_are_the_bound(void **state)
{
    jsmntok_t few[4];

    (void)state;
    assert_int_equal(json_parse(&doc, view_str("[1,2,3]"), few, 4), OK);
    assert_int_equal(json_parse(&doc, view_str("[1,2,3,4]"), few, 4),
                     ERR_TOO_BIG);
    assert_int_equal(json_parse(&doc, view_str("{\"a\":1,\"b\":2}"), few, 4),
                     ERR_TOO_BIG);
    assert_int_equal(json_parse(&doc, view_str("1"), few, 0), ERR_TOO_BIG);
}

static void a_failed_parse_writes_nothing(void **state)
{
    struct json_doc before;

    (void)state;
    assert_int_equal(parse("[1]"), OK);
    before = doc;
    assert_int_equal(parse("[1"), ERR_MORE);
    assert_int_equal(parse("[1 2]"), ERR_PROTO);
    assert_memory_equal(&doc, &before, sizeof doc);
}

/* ---- questions ----------------------------------------------------------- */

static void members_come_in_order_with_their_values(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    int i = 0;

    (void)state;
    assert_int_equal(
        parse("{\"a\":{\"x\":[1,2]},\"b\":[{},{\"y\":0}],\"c\":3}"), OK);
    for (int at = json_first(&doc, 0); at >= 0; at = json_next(&doc, at), i++)
        assert_true(json_is(&doc, at, names[i]));
    assert_int_equal(i, 3);
    assert_int_equal(json_kind(&doc, json_get(&doc, 0, "a")), JSON_OBJECT);
    assert_int_equal(json_kind(&doc, json_get(&doc, 0, "b")), JSON_ARRAY);
    assert_int_equal(json_kind(&doc, json_get(&doc, 0, "c")), JSON_NUMBER);
    assert_true(
        view_is(json_raw(&doc, json_get(&doc, 0, "a")), "{\"x\":[1,2]}"));
    assert_int_equal(json_get(&doc, 0, "x"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, 0, "A"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, json_get(&doc, 0, "b"), "y"), ERR_PROTO);
}

static void elements_come_in_order(void **state)
{
    int64_t want = 1, got = 0;

    (void)state;
    assert_int_equal(parse("[[1,2],[[]],3]"), OK);
    int inner = json_first(&doc, 0);
    for (int at = json_first(&doc, inner); at >= 0; at = json_next(&doc, at)) {
        assert_int_equal(json_to_i64(&doc, at, &got), OK);
        assert_int_equal(got, want++);
    }
    assert_int_equal(want, 3);
    int third = json_next(&doc, json_next(&doc, inner));
    assert_int_equal(json_to_i64(&doc, third, &got), OK);
    assert_int_equal(got, 3);
    assert_int_equal(json_next(&doc, third), ERR_NOT_FOUND);
}

static void what_has_no_insides_has_no_first(void **state)
{
    static const char *const rows[] = {"[]", "{}", "1", "\"a\"", "null"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(parse(rows[i]), OK);
        assert_int_equal(json_first(&doc, 0), ERR_NOT_FOUND);
        assert_int_equal(json_next(&doc, 0), ERR_NOT_FOUND);
    }
    assert_int_equal(parse("[[],1]"), OK);
    assert_int_equal(json_first(&doc, 1), ERR_NOT_FOUND);
}

static void names_are_exact_after_decoding(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"p\\u006frt\":1,\"\xC3\xBC\":2}"), OK);
    assert_true(json_get(&doc, 0, "port") > 0);
    assert_true(json_get(&doc, 0, "\xC3\xBC") > 0);
    assert_int_equal(json_get(&doc, 0, "p\\u006frt"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, 0, "Port"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, 0, "por"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, 0, "ports"), ERR_NOT_FOUND);
    assert_int_equal(json_get(&doc, 0, "\xff"), ERR_NOT_FOUND);
}

static void only_the_listed_names_are_allowed(void **state)
{
    static const char *const names[] = {"a", "b", NULL};

    (void)state;
    assert_int_equal(parse("{\"b\":1}"), OK);
    assert_int_equal(json_only(&doc, 0, names), OK);
    assert_int_equal(parse("{}"), OK);
    assert_int_equal(json_only(&doc, 0, names), OK);
    assert_int_equal(parse("{\"a\":1,\"c\":1}"), OK);
    assert_int_equal(json_only(&doc, 0, names), ERR_PROTO);
    assert_int_equal(parse("[]"), OK);
    assert_int_equal(json_only(&doc, 0, names), ERR_PROTO);
}

static void text_is_decoded(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(
        parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\\ud83d\\ude00x\""), OK);
    assert_int_equal(json_to_str(&doc, 0, out, sizeof out), 16);
    assert_string_equal(out, "\"\\/\b\f\n\r\t\xE2\x82\xAC\xF0\x9F\x98\x80x");
    assert_int_equal(parse("\"\\u00e9\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
                     OK);
    assert_int_equal(json_to_str(&doc, 0, out, sizeof out), 13);
    assert_string_equal(out, "\xC3\xA9\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80"
                             "\xEF\xBF\xBF");
}

static void text_fits_exactly_or_not_at_all(void **state)
{
    char out[8] = "before";
    uint8_t raw[3];

    (void)state;
    assert_int_equal(parse("\"\\u20ac\""), OK);
    for (size_t cap = 0; cap < 4; cap++)
        assert_int_equal(json_to_str(&doc, 0, out, cap), ERR_TOO_BIG);
    assert_string_equal(out, "before");
    assert_int_equal(json_to_str(&doc, 0, out, 4), 3);
    assert_string_equal(out, "\xE2\x82\xAC");
    assert_int_equal(json_to_bytes(&doc, 0, (struct span){raw, 2}),
                     ERR_TOO_BIG);
    assert_int_equal(json_to_bytes(&doc, 0, SPAN_ARRAY(raw)), 3);
}

static void a_nul_in_text_is_bytes_but_no_string(void **state)
{
    char out[8];
    uint8_t raw[8];

    (void)state;
    assert_int_equal(parse("\"a\\u0000b\""), OK);
    assert_int_equal(json_to_str(&doc, 0, out, sizeof out), ERR_PROTO);
    assert_int_equal(json_to_bytes(&doc, 0, SPAN_ARRAY(raw)), 3);
    assert_memory_equal(raw, "a\0b", 3);
}

static void whole_numbers_keep_their_range(void **state)
{
    static const struct {
        const char *text;
        int err;
        int64_t value;
    } rows[] = {
        {"0", OK, 0},
        {"-0", OK, 0},
        {"-1", OK, -1},
        {"9223372036854775807", OK, INT64_MAX},
        {"9223372036854775808", ERR_RANGE, 0},
        {"-9223372036854775808", OK, INT64_MIN},
        {"-9223372036854775809", ERR_RANGE, 0},
        {"99999999999999999999999", ERR_RANGE, 0},
        {"1.0", ERR_PROTO, 0},
        {"1e3", ERR_PROTO, 0},
        {"\"1\"", ERR_PROTO, 0},
        {"true", ERR_PROTO, 0},
        {"null", ERR_PROTO, 0},
        {"[1]", ERR_PROTO, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t v = 0;
        assert_int_equal(parse(rows[i].text), OK);
        assert_int_equal(json_to_i64(&doc, 0, &v), rows[i].err);
        assert_true(v == rows[i].value);
    }
}

static void unsigned_numbers_keep_the_callers_bound(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(parse("18446744073709551615"), OK);
    assert_int_equal(json_to_u64(&doc, 0, UINT64_MAX, &v), OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(parse("65535"), OK);
    assert_int_equal(json_to_u64(&doc, 0, 65535, &v), OK);
    assert_int_equal(parse("65536"), OK);
    assert_int_equal(json_to_u64(&doc, 0, 65535, &v), ERR_RANGE);
    assert_int_equal(parse("-1"), OK);
    assert_int_equal(json_to_u64(&doc, 0, 65535, &v), ERR_RANGE);
    assert_int_equal(v, 65535);
}

static void other_numbers_are_there_as_text(void **state)
{
    (void)state;
    assert_int_equal(parse("[-1.50e+03]"), OK);
    assert_true(view_is(json_raw(&doc, 1), "-1.50e+03"));
}

static void booleans_are_only_booleans(void **state)
{
    bool v = false;

    (void)state;
    assert_int_equal(parse("[true,false,1,\"true\",null]"), OK);
    assert_int_equal(json_to_bool(&doc, 1, &v), OK);
    assert_true(v);
    assert_int_equal(json_to_bool(&doc, 2, &v), OK);
    assert_false(v);
    for (int at = 3; at <= 5; at++)
        assert_int_equal(json_to_bool(&doc, at, &v), ERR_PROTO);
    assert_int_equal(json_kind(&doc, 5), JSON_NULL);
    assert_int_equal(json_kind(&doc, 4), JSON_STRING);
}

static void an_error_in_place_of_a_place_is_passed_on(void **state)
{
    char str[4];
    int64_t i;
    uint64_t u;
    bool b;

    (void)state;
    assert_int_equal(parse("{}"), OK);
    int at = json_get(&doc, 0, "missing");
    assert_int_equal(json_to_str(&doc, at, str, sizeof str), ERR_NOT_FOUND);
    assert_int_equal(json_to_bytes(&doc, at, SPAN_ARRAY(str)), ERR_NOT_FOUND);
    assert_int_equal(json_to_i64(&doc, at, &i), ERR_NOT_FOUND);
    assert_int_equal(json_to_u64(&doc, at, 1, &u), ERR_NOT_FOUND);
    assert_int_equal(json_to_bool(&doc, at, &b), ERR_NOT_FOUND);
}

/* ---- writing ----------------------------------------------------------- */

static void write_sample(struct json_out *o)
{
    json_obj_begin(o);
    json_key(o, "a");
    json_arr_begin(o);
    json_u64(o, UINT64_MAX);
    json_i64(o, INT64_MIN);
    json_bool(o, true);
    json_bool(o, false);
    json_null(o);
    json_arr_end(o);
    json_key(o, "b");
    json_obj_begin(o);
    json_obj_end(o);
    json_key(o, "t");
    json_time(o, 1763692496789);
    json_member_time(o, "u", 1763692496789);
    json_member_time(o, "n", 0);
    json_key(o, "q\"");
    json_cstr(o, "x");
    json_obj_end(o);
}

#define SAMPLE                                                                \
    "{\"a\":[18446744073709551615,-9223372036854775808,true,false,null],"     \
    "\"b\":{},\"t\":\"2025-11-21T02:34:56Z\",\"u\":\"2025-11-21T02:34:56Z\"," \
    "\"n\":null,\"q\\\"\":\"x\"}"

static void commas_and_colons_are_put(void **state)
{
    char buf[256];
    struct json_out o;
    struct view v;

    (void)state;
    json_begin(&o, buf, sizeof buf);
    write_sample(&o);
    assert_int_equal(json_done(&o, &v), OK);
    assert_true(view_is(v, SAMPLE));
    assert_int_equal(parse_exact(v), OK);
}

static void overflow_at_any_size_sticks(void **state)
{
    (void)state;
    for (size_t cap = 1; cap <= sizeof SAMPLE; cap++) {
        char *buf = malloc(cap);
        struct json_out o;
        struct view v = VIEW_NONE;
        assert_non_null(buf);
        json_begin(&o, buf, cap);
        write_sample(&o);
        assert_int_equal(json_done(&o, &v),
                         cap == sizeof SAMPLE ? OK : ERR_FULL);
        assert_int_equal(v.len, cap == sizeof SAMPLE ? cap - 1 : 0);
        free(buf);
    }
}

static void assert_written(struct view in, const char *want)
{
    char buf[256];
    struct json_out o;
    struct view v;

    json_begin(&o, buf, sizeof buf);
    json_str(&o, in);
    assert_int_equal(json_done(&o, &v), OK);
    assert_string_equal(buf, want);
    assert_int_equal(parse_exact(v), OK);
}

static void what_must_be_escaped_is(void **state)
{
    (void)state;
    assert_written(view_str("a\"\\/\b\f\n\r\t\x01\x1f\x7f"),
                   "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_written(view_of("\0", 1), "\"\\u0000\"");
    assert_written(VIEW_NONE, "\"\"");
    assert_written(view_str("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
                   "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

static void broken_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
#define R "\xEF\xBF\xBD"
    assert_written(view_str("a\xFFz"), "\"a" R "z\"");
    assert_written(view_str("\xC3"), "\"" R "\"");
    assert_written(view_str("\xE2\x82"
                            "a"),
                   "\"" R R "a\"");
    assert_written(view_str("\xC0\x80"), "\"" R R "\"");
    assert_written(view_str("\xED\xA0\x80"), "\"" R R R "\"");
    assert_written(view_str("\xF4\x90\x80\x80"), "\"" R R R R "\"");
#undef R
}

static void every_character_comes_back(void **state)
{
    char buf[64], text[8] = {0}, back[8];
    struct json_out o;
    struct view v;

    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        text[0] = (char)c;
        json_begin(&o, buf, sizeof buf);
        json_cstr(&o, text);
        assert_int_equal(json_done(&o, &v), OK);
        assert_int_equal(json_parse(&doc, v, tok, TOKENS), OK);
        assert_int_equal(json_to_str(&doc, 0, back, sizeof back), 1);
        assert_string_equal(back, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_taken),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(a_nul_anywhere_is_refused),
        cmocka_unit_test(every_truncation_wants_more),
        cmocka_unit_test(no_truncation_of_a_good_text_in_brackets_is_taken),
        cmocka_unit_test(seventeen_levels_are_too_many),
        cmocka_unit_test(depth_is_of_nesting_not_of_number),
        cmocka_unit_test(the_tokens_are_the_bound),
        cmocka_unit_test(a_failed_parse_writes_nothing),
        cmocka_unit_test(members_come_in_order_with_their_values),
        cmocka_unit_test(elements_come_in_order),
        cmocka_unit_test(what_has_no_insides_has_no_first),
        cmocka_unit_test(names_are_exact_after_decoding),
        cmocka_unit_test(only_the_listed_names_are_allowed),
        cmocka_unit_test(text_is_decoded),
        cmocka_unit_test(text_fits_exactly_or_not_at_all),
        cmocka_unit_test(a_nul_in_text_is_bytes_but_no_string),
        cmocka_unit_test(whole_numbers_keep_their_range),
        cmocka_unit_test(unsigned_numbers_keep_the_callers_bound),
        cmocka_unit_test(other_numbers_are_there_as_text),
        cmocka_unit_test(booleans_are_only_booleans),
        cmocka_unit_test(an_error_in_place_of_a_place_is_passed_on),
        cmocka_unit_test(commas_and_colons_are_put),
        cmocka_unit_test(overflow_at_any_size_sticks),
        cmocka_unit_test(what_must_be_escaped_is),
        cmocka_unit_test(broken_utf8_becomes_the_replacement_character),
        cmocka_unit_test(every_character_comes_back),
    };
    return cmocka_run_group_tests_name("codec/json", tests, NULL, NULL);
}
