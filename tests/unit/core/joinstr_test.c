/* Join strings: what is good comes back the same, and every fault has its
 * own sentence, which never tells the key. */
#include "core/joinstr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define PIN  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define KEY  "cmdop_enroll_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
#define TAIL "/" PIN "#" KEY
#define GOOD "cmdop://relay.example:50051" TAIL

static struct joinstr j;
static char sentence[512];

/* Parse from a block of the exact size, so that ASan sees a step outside. */
static int parse(struct view in)
{
    uint8_t *block = malloc(in.len + (in.len == 0));
    struct text why;

    assert_non_null(block);
    if (in.len > 0)
        memcpy(block, in.ptr, in.len);
    TEXT_OF(&why, sentence);
    memset(&j, 0, sizeof j);
    int err = joinstr_parse(view_of(block, in.len), &j, &why);
    free(block);
    return err;
}

static void assert_fault(struct view in, const char *what)
{
    static const struct joinstr empty;

    assert_int_equal(parse(in), ERR_RANGE);
    if (strstr(sentence, what) == NULL)
        fail_msg("\"%.*s\": \"%s\" is not in \"%s\"", (int)in.len,
                 (const char *)in.ptr, what, sentence);
    assert_null(strstr(sentence, "MDEyMz"));
    assert_memory_equal(&j, &empty, sizeof j);
}

static void a_good_string_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(parse(view_str(GOOD)), OK);
    assert_string_equal(j.host, "relay.example");
    assert_int_equal(j.port, 50051);
    assert_int_equal(j.pin[0], 0xd7);
    assert_int_equal(j.pin[31], 0x1a);
    assert_string_equal(j.key, KEY);
    assert_string_equal(sentence, "");
}

static void what_parses_prints_the_same(void **state)
{
    static const char *const hosts[] = {
        "a:1",
        "relay:65535",
        "r-1.example.org:443",
        "under_score.lan:443",
        "1and1.example:443",
        "192.0.2.255:8000",
        "[::]:443",
        "[::1]:443",
        "[2001:db8::7]:50051",
        "[2001:DB8:0:0:8:800:200C:417A]:1",
        "[::ffff:192.0.2.1]:1",
        "[1:2:3:4:5:6:192.0.2.1]:1",
        "[1::]:9",
        "[1:2:3:4:5:6:7::]:9",
        "[::2:3:4:5:6:7:8]:9",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        char in[JOINSTR_CAP], out[JOINSTR_CAP];
        struct text t;
        TEXT_OF(&t, in);
        text_join(&t, "cmdop://", hosts[i], TAIL, NULL);
        if (parse(text_done(&t)) != OK)
            fail_msg("%s: %s", in, sentence);
        TEXT_OF(&t, out);
        assert_int_equal(joinstr_print(&j, &t), OK);
        assert_string_equal(out, in);
    }
}

static void every_fault_has_its_sentence(void **state)
{
    static const struct {
        const char *in, *what;
    } rows[] = {
        {"", "is empty"},
        {" " GOOD, "white space"},
        {GOOD "\n", "white space"},
        {"cmdop://a b:1" TAIL, "white space"},
        {"cmdop://rel\xC3\xA4y:1" TAIL, "foreign character"},
        {"cmdop://a\x1b:1" TAIL, "foreign character"},
        {"https://relay:1" TAIL, "does not begin with cmdop://"},
        {"cmdop:/", "does not begin with cmdop://"},
        {"CMDOP://relay:1" TAIL, "does not begin with cmdop://"},
        {"cmdop://", "host is missing"},
        {"cmdop://:1" TAIL, "host is missing"},
        {"cmdop://-a:1" TAIL, "neither a name nor an address"},
        {"cmdop://a-:1" TAIL, "neither a name nor an address"},
        {"cmdop://a..b:1" TAIL, "neither a name nor an address"},
        {"cmdop://.a:1" TAIL, "neither a name nor an address"},
        {"cmdop://a.:1" TAIL, "neither a name nor an address"},
        {"cmdop://u@a:1" TAIL, "neither a name nor an address"},
        {"cmdop://192.0.2:1" TAIL, "neither a name nor an address"},
        {"cmdop://192.0.2.256:1" TAIL, "neither a name nor an address"},
        {"cmdop://192.0.2.01:1" TAIL, "neither a name nor an address"},
        {"cmdop://1.2.3.4.5:1" TAIL, "neither a name nor an address"},
        {"cmdop://::1:443" TAIL, "must stand in [ ]"},
        {"cmdop://[::1:443" TAIL, "']'"},
        {"cmdop://[]:443" TAIL, "no IPv6 address"},
        {"cmdop://[:]:443" TAIL, "no IPv6 address"},
        {"cmdop://[1:2:3:4:5:6:7]:443" TAIL, "no IPv6 address"},
        {"cmdop://[1:2:3:4:5:6:7:8:9]:443" TAIL, "no IPv6 address"},
        {"cmdop://[1:2:3:4:5:6:7:8::]:443" TAIL, "no IPv6 address"},
        {"cmdop://[1::2::3]:443" TAIL, "no IPv6 address"},
        {"cmdop://[:::]:443" TAIL, "no IPv6 address"},
        {"cmdop://[12345::]:443" TAIL, "no IPv6 address"},
        {"cmdop://[g::]:443" TAIL, "no IPv6 address"},
        {"cmdop://[fe80::1%eth0]:443" TAIL, "no IPv6 address"},
        {"cmdop://[192.0.2.1::]:443" TAIL, "no IPv6 address"},
        {"cmdop://[::1.2.3]:443" TAIL, "no IPv6 address"},
        {"cmdop://[192.0.2.1]:443" TAIL, "no IPv6 address"},
        {"cmdop://[::1]443" TAIL, "after the IPv6 address"},
        {"cmdop://[::1]" TAIL, "port is missing"},
        {"cmdop://relay" TAIL, "port is missing"},
        {"cmdop://relay:" TAIL, "port is missing"},
        {"cmdop://relay:http" TAIL, "port is not a number"},
        {"cmdop://relay:+1" TAIL, "port is not a number"},
        {"cmdop://relay:0" TAIL, "port is out of range"},
        {"cmdop://relay:65536" TAIL, "port is out of range"},
        {"cmdop://relay:99999999999999999999" TAIL, "port is out of range"},
        {"cmdop://relay:0443" TAIL, "port is out of range"},
        {"cmdop://relay:1", "pin of the relay's key is missing"},
        {"cmdop://relay:1/", "pin of the relay's key is missing"},
        {"cmdop://relay:1#" KEY, "pin of the relay's key is missing"},
        {"cmdop://relay:1/#" KEY, "pin of the relay's key is missing"},
        {"cmdop://relay:1/abc#" KEY, "pin is too short"},
        {"cmdop://relay:1/x" PIN "#" KEY, "pin is too long"},
        {"cmdop://relay:1/" PIN "/#" KEY, "pin is too long"},
        {"cmdop://relay:1/+1qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo#" KEY,
         "pin is damaged"},
        {"cmdop://relay:1/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp#" KEY,
         "pin is damaged"},
        {"cmdop://relay:1/" PIN, "join key is missing"},
        {"cmdop://relay:1/" PIN "#", "join key is missing"},
        {"cmdop://relay:1/" PIN "#enroll", "does not begin with cmdop_enr"},
        {"cmdop://relay:1/" PIN "#cmdop_enr", "cut off"},
        {"cmdop://relay:1/" PIN "#cmdop_enroll_", "cut off"},
        {"cmdop://relay:1/" PIN "#" KEY "x", "join key is too long"},
        {"cmdop://relay:1/" PIN "#" KEY "#", "join key is too long"},
        {"cmdop://relay:1/" PIN
         "#cmdop_enroll_!!EyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
         "join key is damaged"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_fault(view_str(rows[i].in), rows[i].what);
}

static void every_truncation_is_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof GOOD - 1; n++) {
        assert_int_equal(parse(view_of(GOOD, n)), ERR_RANGE);
        assert_true(strlen(sentence) > 10);
    }
}

static void a_nul_inside_is_refused(void **state)
{
    char in[] = GOOD;

    (void)state;
    for (size_t i = 0; i < sizeof in - 1; i++) {
        char c = in[i];
        in[i] = '\0';
        assert_int_equal(parse(view_of(in, sizeof in - 1)), ERR_RANGE);
        in[i] = c;
    }
}

static void the_longest_name_fits_and_a_longer_does_not(void **state)
{
    char in[JOINSTR_CAP + 8], name[JOINSTR_HOST_MAX + 2];
    char out[JOINSTR_CAP];
    struct text t;

    (void)state;
    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    for (size_t len = JOINSTR_HOST_MAX; len <= JOINSTR_HOST_MAX + 1; len++) {
        TEXT_OF(&t, in);
        text_str(&t, "cmdop://");
        text_view(&t, view_of(name, len));
        text_str(&t, ":65535" TAIL);
        assert_int_equal(parse(text_done(&t)),
                         len <= JOINSTR_HOST_MAX ? OK : ERR_RANGE);
        if (len > JOINSTR_HOST_MAX)
            continue;
        TEXT_OF(&t, out);
        assert_int_equal(joinstr_print(&j, &t), OK);
        assert_string_equal(out, in);
    }
    memset(name, 'a', 64);
    assert_false(joinstr_host_ok(view_of(name, 64)));
    assert_true(joinstr_host_ok(view_of(name, 63)));
}

static void printing_into_too_little_room_is_full(void **state)
{
    char out[JOINSTR_CAP];
    struct text t;

    (void)state;
    assert_int_equal(parse(view_str(GOOD)), OK);
    for (size_t cap = 1; cap < sizeof GOOD; cap++) {
        text_init(&t, out, cap);
        assert_int_equal(joinstr_print(&j, &t), ERR_FULL);
    }
    text_init(&t, out, sizeof GOOD);
    assert_int_equal(joinstr_print(&j, &t), OK);
}

static int apart(const char *server, const char *key, bool *has_pin)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&j, 0, sizeof j);
    return joinstr_parse_apart(view_str(server), view_str(key), &j, has_pin,
                               &why);
}

static void a_server_and_a_key_may_come_apart(void **state)
{
    static const char *const servers[] = {"cmdop://relay.example:50051/" PIN,
                                          "cmdop://relay.example:50051",
                                          "relay.example:50051"};
    bool has_pin = false;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(apart(servers[i], KEY, &has_pin), OK);
        assert_string_equal(j.host, "relay.example");
        assert_int_equal(j.port, 50051);
        assert_string_equal(j.key, KEY);
        assert_int_equal(has_pin, i == 0);
        assert_int_equal(j.pin[31], i == 0 ? 0x1a : 0);
        assert_string_equal(sentence, "");
    }
    assert_int_equal(apart("relay:1/" PIN, KEY, &has_pin), OK);
    assert_true(has_pin);
}

static void every_fault_of_the_parts_has_its_sentence(void **state)
{
    static const struct joinstr empty;
    static const struct {
        const char *server, *key, *what;
    } rows[] = {
        {"", KEY, "host is missing"},
        {"relay", KEY, "port is missing"},
        {"https://relay:1", KEY, "does not begin with cmdop://"},
        {"relay:1 ", KEY, "white space"},
        {"relay:1/", KEY, "pin of the relay's key is missing"},
        {"relay:1/abc", KEY, "pin is too short"},
        {"cmdop://relay:1/" PIN "x", KEY, "pin is too long"},
        {"cmdop://relay:1/" PIN "#", KEY, "'#'"},
        {GOOD, KEY, "'#'"},
        {"relay:1/" PIN, "", "join key is missing"},
        {"relay:1/" PIN, "cmdop_enroll_MDEy", "cut off"},
        {"relay:1/" PIN, KEY "x", "join key is too long"},
        {"relay:1/" PIN, KEY "\n", "white space"},
        {"relay:1/" PIN, "cmdop_12345678901234567890", "does not begin with"},
        {"relay:1/" PIN, "cmdop_enroll_!!EyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
         "join key is damaged"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool has_pin = true;
        assert_int_equal(apart(rows[i].server, rows[i].key, &has_pin),
                         ERR_RANGE);
        if (strstr(sentence, rows[i].what) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", rows[i].what, sentence);
        assert_null(strstr(sentence, "MDEyMz"));
        assert_memory_equal(&j, &empty, sizeof j);
        assert_true(has_pin);
    }
}

static void a_key_alone_is_known_by_its_beginning(void **state)
{
    (void)state;
    assert_true(joinstr_is_key(view_str(KEY)));
    assert_true(joinstr_is_key(view_str("cmdop_enroll_")));
    assert_false(joinstr_is_key(view_str(GOOD)));
    assert_false(joinstr_is_key(view_str("cmdop_enrol")));
    assert_false(joinstr_is_key(VIEW_NONE));
}

static void a_made_key_is_a_key(void **state)
{
    char key[96];

    (void)state;
    joinstr_key((const uint8_t *)"012345678901234567890123", key);
    assert_string_equal(key, KEY);
    assert_true(joinstr_key_ok(view_str(key)));
    assert_false(joinstr_key_ok(view_of(key, strlen(key) - 1)));
    assert_false(joinstr_key_ok(VIEW_NONE));
    key[0] = 'C';
    assert_false(joinstr_key_ok(view_str(key)));
}

static void an_address_is_split(void **state)
{
    char host[256];
    uint16_t port = 0;
    struct text why;

    (void)state;
    TEXT_OF(&why, sentence);
    assert_int_equal(joinstr_address(view_str("[::1]:443"), host, &port, &why),
                     OK);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 443);
    assert_int_equal(joinstr_address(view_str("relay"), host, &port, &why),
                     ERR_RANGE);
    assert_non_null(strstr(sentence, "HOST:PORT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_string_is_taken_apart),
        cmocka_unit_test(what_parses_prints_the_same),
        cmocka_unit_test(every_fault_has_its_sentence),
        cmocka_unit_test(every_truncation_is_refused_with_a_sentence),
        cmocka_unit_test(a_nul_inside_is_refused),
        cmocka_unit_test(the_longest_name_fits_and_a_longer_does_not),
        cmocka_unit_test(printing_into_too_little_room_is_full),
        cmocka_unit_test(a_server_and_a_key_may_come_apart),
        cmocka_unit_test(every_fault_of_the_parts_has_its_sentence),
        cmocka_unit_test(a_key_alone_is_known_by_its_beginning),
        cmocka_unit_test(a_made_key_is_a_key),
        cmocka_unit_test(an_address_is_split),
    };
    return cmocka_run_group_tests_name("core/joinstr", tests, NULL, NULL);
}
