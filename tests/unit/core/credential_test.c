/* The operator's credential file: what is saved is loaded, under a seal whose
 * key lies elsewhere; a damaged or open file is refused with a remedy, an old
 * one is sealed, and after any fault there is the old list or the new one. */
#include "core/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/base64.h"
#include "crypto/seal.h"
#include "fake/keyring.h"
#include "fake/port_keep.h"

#define PATH "/config/credentials.json"
#define KEY  "/state/credentials.key"
#define PIN  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define SERVER(name)                                                    \
    "{\"name\":\"" name "\",\"address\":\"relay:50051\",\"pin\":\"" PIN \
    "\",\"token\":\"tok\",\"user\":\"ann\"}"
#define SERVER_2_WITH(name, times, more)                                    \
    "{\"name\":\"" name "\",\"address\":\"relay:50051\",\"pin\":\"" PIN     \
    "\",\"token\":\"tok\",\"token_expires\":" times                         \
    ",\"refresh\":\"ref\",\"refresh_expires\":0,\"user\":\"ann\","          \
    "\"email\":\"\",\"user_id\":\"\",\"fleet_id\":\"\",\"fleet\":\"\"" more \
    "}"
#define SERVER_2(name) SERVER_2_WITH(name, "0", "")
#define LIST_OF(servers, current) \
    "{\"servers\":[" servers "],\"current\":\"" current "\"}"
#define FILE_OF(servers, current) \
    "{\"version\":1,\"servers\":[" servers "],\"current\":\"" current "\"}"

static const struct paths folders = {.config = "/config", .state = "/state"};
static struct credentials list;
static char sentence[1024];

static int load(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&list, 0, sizeof list);
    return credential_load(&folders, &list, &why);
}

static int save(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return credential_save(&folders, &list, &why);
}

/* A file as it lies there. */
static int load_text(const char *text)
{
    fake_put(PATH, view_str(text));
    return load();
}

/* A version 2 file around any list, sealed with the key that is put in place:
 * with "file" or anything else as the place of the key. */
static const char *file_around(const char *text, const char *key_word)
{
    static char file[FAKE_FILE_BYTES];
    static uint8_t box[FAKE_FILE_BYTES];
    char head[64];
    uint8_t key[SEAL_KEY_LEN];
    struct text t;
    struct writer w;

    memset(key, 0x2A, sizeof key);
    fake_put(KEY, VIEW_ARRAY(key));
    memset(box, 0x17, SEAL_NONCE_LEN);
    TEXT_OF(&t, head);
    text_join(&t, "cmdop credentials 2 ", key_word, NULL);
    int n = seal_close(
        key, box, text_done(&t), view_str(text),
        (struct span){box + SEAL_NONCE_LEN, sizeof box - SEAL_NONCE_LEN});
    assert_true(n > 0);
    writer_init(&w, SPAN_ARRAY(file));
    write_str(&w, "{\"version\":2,\"key\":\"");
    write_str(&w, key_word);
    write_str(&w, "\",\"box\":\"");
    base64_write(&w, BASE64_URL, view_of(box, SEAL_NONCE_LEN + (size_t)n));
    write_str(&w, "\"}");
    write_u8(&w, 0);
    assert_int_equal(w.err, OK);
    return file;
}

static int load_sealed(const char *text)
{
    return load_text(file_around(text, "file"));
}

static struct credential server_of(const char *name)
{
    struct credential s = {.address = "relay.example:50051",
                           .token = "to.ken-_~+/=",
                           .refresh = "clitr_x",
                           .token_expires_ms = 1700000000000,
                           .refresh_expires_ms = 1800000000000,
                           .user = "ann",
                           .email = "ann@example.org",
                           .user_id = "0f-A_",
                           .fleet_id = "f1",
                           .fleet = "Home"};

    memcpy(s.name, name, strlen(name) + 1);
    for (size_t i = 0; i < sizeof s.pin; i++)
        s.pin[i] = (uint8_t)(i * 7);
    return s;
}

static void same_server(const struct credential *a, const struct credential *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->address, b->address);
    assert_string_equal(a->token, b->token);
    assert_string_equal(a->refresh, b->refresh);
    assert_string_equal(a->user, b->user);
    assert_string_equal(a->email, b->email);
    assert_string_equal(a->user_id, b->user_id);
    assert_string_equal(a->fleet_id, b->fleet_id);
    assert_string_equal(a->fleet, b->fleet);
    assert_true(a->token_expires_ms == b->token_expires_ms);
    assert_true(a->refresh_expires_ms == b->refresh_expires_ms);
    assert_memory_equal(a->pin, b->pin, 32);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&fake_ring, 0, sizeof fake_ring);
    memset(&list, 0, sizeof list);
    return 0;
}

static void a_missing_file_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, 0);
    assert_null(credential_current(&list));
    assert_int_equal(fake.count, 0);
}

static void what_is_saved_is_loaded(void **state)
{
    struct credential home = server_of("home");
    struct credential odd = server_of("b\xC3\xBC\"\\ro \xF0\x9F\x90\x9F");
    struct credentials before;

    (void)state;
    memcpy(odd.address, "[2001:db8::7]:1", 16);
    odd.token[0] = odd.user[0] = '\0';
    assert_int_equal(credential_upsert(&list, &home), OK);
    assert_int_equal(credential_upsert(&list, &odd), OK);
    assert_int_equal(credential_use(&list, odd.name), OK);
    before = list;
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.current, before.current);
    for (size_t i = 0; i < 2; i++)
        same_server(&list.server[i], &before.server[i]);
}

static struct view file_of(const char *path)
{
    const struct fake_file *f = fake_find(path);
    return f == NULL ? VIEW_NONE : view_of(f->data, f->len);
}

/* Does any file hold this text? */
static bool lies_in_the_clear(const char *text)
{
    struct view word = view_str(text);
    for (size_t i = 0; i < fake.count; i++)
        for (size_t at = 0; at < fake.file[i].len; at++)
            if (view_starts(
                    view_from(view_of(fake.file[i].data, fake.file[i].len), at),
                    word))
                return true;
    return false;
}

static void the_file_is_as_described(void **state)
{
    struct credential s = server_of("n");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(credential_use(&list, "n"), OK);
    assert_int_equal(save(), OK);
    assert_int_equal(fake.count, 2);
    assert_int_equal(file_of(KEY).len, SEAL_KEY_LEN);
    assert_true(view_starts(
        file_of(PATH), view_str("{\"version\":2,\"key\":\"file\",\"box\":\"")));
    assert_false(lies_in_the_clear(s.token));
    assert_false(lies_in_the_clear(s.refresh));
    assert_false(lies_in_the_clear("relay.example"));
}

static void what_is_there_already_is_not_written_again(void **state)
{
    struct credential s = server_of("n");
    static struct fake_file before;

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    before = *fake_find(PATH);
    assert_int_equal(load(), OK);
    assert_int_equal(save(), OK);
    assert_memory_equal(&before, fake_find(PATH), sizeof before);
    list.server[0].token[0] = 'T';
    assert_int_equal(save(), OK);
    assert_memory_not_equal(&before, fake_find(PATH), sizeof before);
}

static void no_seal_is_made_twice_with_one_nonce(void **state)
{
    struct credential s = server_of("n");
    static struct fake_file before;

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    before = *fake_find(PATH);
    fake_remove(PATH);
    assert_int_equal(save(), OK);
    assert_int_equal(before.len, fake_find(PATH)->len);
    /* Six characters behind the head are four and a half bytes of nonce. */
    assert_memory_not_equal(before.data + 34, fake_find(PATH)->data + 34, 6);
}

static void the_largest_list_fits(void **state)
{
    struct credential s = server_of("x");
    struct credential one_more = server_of("y");

    (void)state;
    memset(s.name, '"', NAME_CAP - 1);
    memset(s.user, '\\', NAME_CAP - 1);
    memset(s.token, 'T', CREDENTIAL_TOKEN_CAP - 1);
    memset(s.refresh, 'R', CREDENTIAL_TOKEN_CAP - 1);
    memset(s.email, '\\', CREDENTIAL_EMAIL_CAP - 1);
    memset(s.fleet, '"', NAME_CAP - 1);
    memset(s.user_id, 'u', CREDENTIAL_ID_CAP - 1);
    memset(s.fleet_id, 'f', CREDENTIAL_ID_CAP - 1);
    s.token_expires_ms = s.refresh_expires_ms = INT64_MAX;
    memset(s.address, 'a', 253);
    for (size_t i = 63; i < 253; i += 64)
        s.address[i] = '.';
    memcpy(s.address + 253, ":65535", 7);
    for (int i = 0; i < CREDENTIAL_SERVERS_MAX; i++) {
        s.name[0] = (char)('a' + i);
        assert_int_equal(credential_upsert(&list, &s), OK);
    }
    assert_int_equal(credential_upsert(&list, &one_more), ERR_LIMIT);
    assert_int_equal(credential_use(&list, s.name), OK);
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, CREDENTIAL_SERVERS_MAX);
    same_server(&list.server[7], &s);
}

static void upsert_replaces_the_one_of_that_name(void **state)
{
    struct credential s = server_of("home");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    memcpy(s.token, "new", 4);
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(credential_find(&list, "home")->token, "new");
}

static void upsert_takes_nothing_that_could_not_be_loaded(void **state)
{
    struct credential s = server_of("");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a\x1b[31m");
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a\xff");
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.user[0] = '\n';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.token[0] = ' ';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.refresh[0] = '\n';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.email[0] = '\x1b';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.fleet[0] = '\x7f';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.fleet_id[0] = '/';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.user_id[0] = ' ';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.token_expires_ms = -1;
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    memcpy(s.address, "relay", 6);
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    assert_int_equal(list.count, 0);
}

static void removing_closes_the_gap_and_forgets_the_current(void **state)
{
    static const char *const names[] = {"a", "b", "c"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct credential s = server_of(names[i]);
        assert_int_equal(credential_upsert(&list, &s), OK);
    }
    assert_int_equal(credential_use(&list, "b"), OK);
    assert_int_equal(credential_remove(&list, "a"), OK);
    assert_string_equal(credential_current(&list)->name, "b");
    assert_int_equal(credential_remove(&list, "b"), OK);
    assert_null(credential_current(&list));
    assert_int_equal(credential_remove(&list, "b"), ERR_NOT_FOUND);
    assert_int_equal(credential_use(&list, "b"), ERR_NOT_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.server[0].name, "c");
    for (size_t i = 0; i < sizeof list.server[1]; i++)
        assert_int_equal(((const uint8_t *)&list.server[1])[i], 0);
}

#define OR_LOG_IN                                                           \
    "restore it from a backup, or forget it with `cmdop logout --all` and " \
    "run `cmdop login`"

static void is_damaged(void)
{
    assert_int_equal(load(), ERR_DAMAGED);
    assert_int_equal(list.count, 0);
    assert_string_equal(sentence,
                        "the credential file " PATH " is damaged; " OR_LOG_IN);
}

static void every_truncation_is_damage(void **state)
{
    static const char old[] = FILE_OF(SERVER("a") "," SERVER("b"), "b");
    const char *good = file_around(LIST_OF(SERVER_2("a"), "a"), "file");

    (void)state;
    for (size_t n = 0; n < sizeof old - 1; n++) {
        fake_put(PATH, view_of(old, n));
        is_damaged();
    }
    for (size_t n = 0; n < strlen(good); n++) {
        fake_put(PATH, view_of(good, n));
        is_damaged();
    }
    assert_int_equal(load_text(good), OK);
    assert_string_equal(sentence, "");
}

static void every_changed_byte_is_damage(void **state)
{
    const char *good = file_around(LIST_OF(SERVER_2("a"), "a"), "file");
    struct fake_file *f = fake_put(PATH, view_str(good));

    (void)state;
    for (size_t i = 0; i < f->len; i++)
        for (int bit = 0; bit < 8; bit++) {
            f->data[i] ^= (uint8_t)(1 << bit);
            int err = load();
            f->data[i] ^= (uint8_t)(1 << bit);
            /* "version":2 may become a later one or another number. */
            if (i == 11 ? err == OK : err != ERR_DAMAGED)
                fail_msg("byte %zu, bit %d: %d", i, bit, err);
            assert_int_equal(list.count, 0);
        }
    f = fake_find(KEY);
    for (size_t i = 0; i < f->len; i++) {
        f->data[i] ^= 1;
        is_damaged();
        f->data[i] ^= 1;
    }
    assert_int_equal(load(), OK);
}

static void a_key_that_is_gone_or_cut_is_told(void **state)
{
    const char *good = file_around(LIST_OF("", ""), "file");

    (void)state;
    fake_remove(KEY);
    assert_int_equal(load_text(good), ERR_DAMAGED);
    assert_string_equal(sentence, "the key of the credential file, " KEY
                                  ", is missing; " OR_LOG_IN);
    fake_put(KEY, view_str("short"));
    assert_int_equal(load_text(good), ERR_DAMAGED);
    assert_string_equal(sentence, "the key of the credential file, " KEY
                                  ", is damaged; " OR_LOG_IN);
    good = file_around(LIST_OF("", ""), "file");
    fake_find(KEY)->open_to_others = true;
    assert_int_equal(load_text(good), ERR_DAMAGED);
    assert_non_null(strstr(sentence, "chmod 600 " KEY));
}

static void what_is_not_as_described_is_damage(void **state)
{
    static const char *const rows[] = {
        "[]",
        "{}",
        "null",
        FILE_OF("", "") " x",
        "{\"version\":0,\"servers\":[],\"current\":\"\"}",
        "{\"version\":\"1\",\"servers\":[],\"current\":\"\"}",
        "{\"version\":1.0,\"servers\":[],\"current\":\"\"}",
        "{\"version\":1,\"servers\":{},\"current\":\"\"}",
        "{\"version\":1,\"servers\":[],\"current\":null}",
        "{\"version\":1,\"servers\":[]}",
        "{\"version\":1,\"current\":\"\"}",
        "{\"version\":1,\"servers\":[],\"current\":\"\",\"more\":1}",
        "{\"version\":1,\"version\":1,\"servers\":[],\"current\":\"\"}",
        "{\"Version\":1,\"servers\":[],\"current\":\"\"}",
        FILE_OF("", "a"),
        FILE_OF(SERVER("a"), "b"),
        FILE_OF(SERVER("a") "," SERVER("a"), ""),
        FILE_OF("[]", ""),
        FILE_OF("{\"name\":\"a\"}", ""),
        FILE_OF(SERVER(""), ""),
        FILE_OF(SERVER("a\\u0000b"), ""),
        FILE_OF(SERVER("a\\u001b"), ""),
        FILE_OF(SERVER("0123456789012345678901234567890123456789"
                       "012345678901234567890123"),
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:0\",\"pin\":\"" PIN
                "\",\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"" PIN
                "A\",\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"\","
                "\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"" PIN
                "\",\"token\":\"a b\",\"user\":\"\"}",
                ""),
        FILE_OF(
            SERVER("1") "," SERVER("2") "," SERVER("3") "," SERVER("4") "," SERVER(
                "5") "," SERVER("6") "," SERVER("7") "," SERVER("8") "," SERVER("9"),
            ""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (load_text(rows[i]) != ERR_DAMAGED)
            fail_msg("accepted: %s", rows[i]);
        assert_non_null(strstr(sentence, "is damaged"));
        assert_int_equal(list.count, 0);
    }
}

static void a_sealed_list_that_is_not_as_described_is_damage(void **state)
{
    static const char *const rows[] = {
        "",
        "{}",
        LIST_OF("", "") " x",
        FILE_OF(SERVER("a"), "a"),
        LIST_OF(SERVER("a"), "a"),
        LIST_OF("", "a"),
        LIST_OF(SERVER_2("a") "," SERVER_2("a"), ""),
        LIST_OF(SERVER_2_WITH("a", "-1", ""), ""),
        LIST_OF(SERVER_2_WITH("a", "\"0\"", ""), ""),
        LIST_OF(SERVER_2_WITH("a", "9223372036854775808", ""), ""),
        LIST_OF(SERVER_2_WITH("a", "0", ",\"more\":1"), ""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (load_sealed(rows[i]) != ERR_DAMAGED)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(list.count, 0);
    }
    assert_int_equal(load_sealed(LIST_OF(SERVER_2("a"), "a")), OK);
}

static void an_envelope_that_is_not_as_described_is_damage(void **state)
{
    static const char *const rows[] = {
        "{\"version\":2}",
        "{\"version\":2,\"key\":\"file\",\"box\":\"\"}",
        "{\"version\":2,\"key\":\"file\",\"box\":1}",
        "{\"version\":2,\"key\":\"elsewhere\",\"box\":\"AAAA\"}",
        "{\"version\":2,\"key\":\"file\",\"box\":\"A=\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (load_text(rows[i]) != ERR_DAMAGED)
            fail_msg("accepted: %s", rows[i]);
}

static void an_old_file_is_read_and_sealed(void **state)
{
    (void)state;
    assert_int_equal(load_text(FILE_OF(SERVER("a") "," SERVER("b"), "b")), OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(credential_current(&list)->name, "b");
    assert_string_equal(list.server[0].token, "tok");
    assert_string_equal(list.server[0].refresh, "");
    assert_true(list.server[0].token_expires_ms == 0);
    assert_false(lies_in_the_clear("tok"));
    assert_string_equal(fake.locked, "");
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(credential_current(&list)->name, "b");
}

static void an_old_file_that_cannot_be_sealed_is_used(void **state)
{
    (void)state;
    fake.lock_taken = true; /* by one who will write it anyway */
    assert_int_equal(load_text(FILE_OF(SERVER("a"), "a")), OK);
    assert_int_equal(list.count, 1);
    assert_true(lies_in_the_clear("tok"));
    fake.lock_taken = false;
    for (size_t at = 2; at < 9; at++) { /* all but the first reading */
        fake.calls = 0;
        fake.fail_at = at;
        fake.fail_on = true;
        fake.fail_err = ERR_NO_SPACE;
        assert_int_equal(load_text(FILE_OF(SERVER("a"), "a")), OK);
        assert_int_equal(list.count, 1);
        assert_string_equal(fake.locked, "");
    }
}

/* ---- the keyring ---------------------------------------------------------- */

static void the_key_may_live_in_the_keyring(void **state)
{
    struct credential s = server_of("n");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    list.where = CREDENTIAL_KEY_KEYRING;
    list.has_key = false;
    assert_int_equal(save(), OK);
    assert_int_equal(fake_ring.len, 43);
    assert_null(fake_find(KEY));
    assert_true(view_starts(file_of(PATH),
                            view_str("{\"version\":2,\"key\":\"keyring\"")));
    assert_int_equal(load(), OK);
    assert_int_equal(list.where, CREDENTIAL_KEY_KEYRING);
    same_server(&list.server[0], &s);
}

static void the_keyring_is_asked_once(void **state)
{
    struct credential s = server_of("n");

    (void)state;
    list.where = CREDENTIAL_KEY_KEYRING;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    assert_int_equal(fake_ring.puts, 1);
    fake_ring.calls = 0;
    assert_int_equal(load(), OK);
    list.server[0].token[0] = 'T';
    assert_int_equal(save(), OK);
    assert_int_equal(fake_ring.calls, 1);
    assert_int_equal(fake_ring.puts, 1);
}

static void a_keyring_that_is_away_is_no_damage(void **state)
{
    struct credential s = server_of("n");

    (void)state;
    list.where = CREDENTIAL_KEY_KEYRING;
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    fake_ring.err = ERR_TIMEOUT;
    assert_int_equal(load(), ERR_UNREACHABLE);
    assert_non_null(strstr(sentence, "the fake keyring is away"));
    assert_non_null(strstr(sentence, "run `cmdop login`"));
    fake_ring.err = OK;
    fake_ring.len = 0;
    assert_int_equal(load(), ERR_DAMAGED);
    assert_non_null(strstr(sentence, "an item in the desktop keyring, is "
                                     "missing"));
    fake_ring.len = 5;
    assert_int_equal(load(), ERR_DAMAGED);
    assert_non_null(strstr(sentence, "is no key"));
}

static void a_file_cannot_say_that_its_key_is_elsewhere(void **state)
{
    static uint8_t text[64];
    struct writer w;
    const char *good = file_around(LIST_OF("", ""), "file");
    static char moved[FAKE_FILE_BYTES];
    const char *box = strstr(good, "\"box\"");

    (void)state;
    writer_init(&w, SPAN_ARRAY(text));
    base64_write(&w, BASE64_URL, file_of(KEY));
    memcpy(fake_ring.secret, text, w.len);
    fake_ring.len = w.len;
    strcpy(moved, "{\"version\":2,\"key\":\"keyring\",");
    strcat(moved, box);
    assert_int_equal(load_text(moved), ERR_DAMAGED);
}

/* ---- faults --------------------------------------------------------------- */

/* Which list is on the disk now? 'o', 'n', or '-': none that can be read. */
static char look(void)
{
    fake.fail_at = 0;
    fake_ring.err = OK;
    if (load() != OK || list.count == 0)
        return '-';
    return strcmp(list.server[0].token, "new") == 0 ? 'n' : 'o';
}

/* Every call of the port fails, the first, the second, ... and all after it
 * as when the power is gone: there is the old list or the new one. */
static void faults_leave_the_old_list_or_the_new(void **state)
{
    static const enum credential_key moves[][2] = {
        {CREDENTIAL_KEY_FILE, CREDENTIAL_KEY_FILE},
        {CREDENTIAL_KEY_FILE, CREDENTIAL_KEY_KEYRING},
        {CREDENTIAL_KEY_KEYRING, CREDENTIAL_KEY_KEYRING},
        {CREDENTIAL_KEY_KEYRING, CREDENTIAL_KEY_FILE}};
    static const struct credentials none;
    struct credential old = server_of("n");
    struct credential new = server_of("n");

    (void)state;
    strcpy(old.token, "old");
    strcpy(new.token, "new");
    for (size_t m = 0; m < 8; m++) {
        bool power = m % 2 == 1, met = true;
        for (size_t at = 1; met; at++) {
            setup(NULL);
            list.where = moves[m / 2][0];
            assert_int_equal(credential_upsert(&list, &old), OK);
            assert_int_equal(save(), OK);
            assert_int_equal(load(), OK);
            assert_int_equal(credential_upsert(&list, &new), OK);
            list.has_key = list.has_key && list.where == moves[m / 2][1];
            list.where = moves[m / 2][1];
            fake.calls = 0;
            fake.fail_at = at;
            fake.fail_on = power;
            fake.fail_err = ERR_IO;
            int err = save();
            met = fake.calls >= at;
            assert_true((err == OK) == (sentence[0] == '\0'));
            char now = look();
            if (now == '-' || (err == OK && now != 'n'))
                fail_msg("move %zu, call %zu: %d, %c", m, at, err, now);
        }
    }
    list = none;
}

static void faults_of_the_first_save_leave_nothing_or_all(void **state)
{
    struct credential s = server_of("n");
    bool met = true;

    (void)state;
    for (size_t at = 1; met; at++) {
        setup(NULL);
        assert_int_equal(credential_upsert(&list, &s), OK);
        fake.fail_at = at;
        fake.fail_err = ERR_IO;
        int err = save();
        met = fake.calls >= at;
        fake.fail_at = 0;
        assert_int_equal(load(), OK);
        assert_int_equal(list.count, err == OK ? 1 : 0);
    }
}

static void forgetting_takes_file_and_key(void **state)
{
    struct credential s = server_of("n");
    struct text why;

    (void)state;
    TEXT_OF(&why, sentence);
    assert_int_equal(credential_forget(&folders, &why), OK);
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(save(), OK);
    fake_find(PATH)->data[5] = '#';
    assert_int_equal(credential_forget(&folders, &why), OK);
    assert_int_equal(fake.count, 0);
}

static void one_process_at_a_time_holds_the_lock(void **state)
{
    struct text why;

    (void)state;
    TEXT_OF(&why, sentence);
    assert_int_equal(credential_lock(&folders, &why), OK);
    assert_string_equal(fake.locked, "/config/credentials.lock");
    assert_int_equal(credential_try_lock(&folders, &why), ERR_BUSY);
    assert_non_null(strstr(sentence, "another cmdop (pid 4711)"));
    credential_unlock(&folders);
    fake.lock_taken = true;
    TEXT_OF(&why, sentence);
    uint64_t before = fake.now_ms;
    assert_int_equal(credential_lock(&folders, &why), ERR_BUSY);
    assert_true(fake.now_ms - before >= CREDENTIAL_LOCK_MS);
    assert_non_null(strstr(sentence, "does not finish"));
}

static void a_file_that_is_too_long_is_damage(void **state)
{
    static uint8_t spaces[FAKE_FILE_BYTES];

    (void)state;
    memset(spaces, ' ', sizeof spaces);
    fake_put(PATH, VIEW_ARRAY(spaces));
    assert_int_equal(load(), ERR_DAMAGED);
    assert_non_null(strstr(sentence, "is damaged"));
}

static void a_later_version_is_not_called_damaged(void **state)
{
    (void)state;
    assert_int_equal(load_text("{\"version\":3,\"new\":[1,2,3]}"),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(sentence, "update cmdop"));
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    fake_put(PATH, view_str(FILE_OF(SERVER("a"), "a")))->open_to_others = true;
    assert_int_equal(load(), ERR_DAMAGED);
    assert_int_equal(list.count, 0);
    assert_non_null(strstr(sentence, "chmod 600 " PATH));
}

static void faults_of_the_port_are_told(void **state)
{
    (void)state;
    fake.fail_err = ERR_IO;
    fake.fail_on = true;
    fake.fail_at = 1;
    assert_int_equal(load(), ERR_IO);
    assert_non_null(strstr(sentence, "the fake's reason"));
    assert_int_equal(save(), ERR_IO);
    assert_non_null(strstr(sentence, "the fake's reason"));
    assert_int_equal(fake.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_missing_file_is_an_empty_list, setup),
        cmocka_unit_test_setup(what_is_saved_is_loaded, setup),
        cmocka_unit_test_setup(the_file_is_as_described, setup),
        cmocka_unit_test_setup(the_largest_list_fits, setup),
        cmocka_unit_test_setup(upsert_replaces_the_one_of_that_name, setup),
        cmocka_unit_test_setup(upsert_takes_nothing_that_could_not_be_loaded,
                               setup),
        cmocka_unit_test_setup(removing_closes_the_gap_and_forgets_the_current,
                               setup),
        cmocka_unit_test_setup(every_truncation_is_damage, setup),
        cmocka_unit_test_setup(what_is_not_as_described_is_damage, setup),
        cmocka_unit_test_setup(a_file_that_is_too_long_is_damage, setup),
        cmocka_unit_test_setup(a_later_version_is_not_called_damaged, setup),
        cmocka_unit_test_setup(a_file_that_others_may_read_is_refused, setup),
        cmocka_unit_test_setup(what_is_there_already_is_not_written_again,
                               setup),
        cmocka_unit_test_setup(no_seal_is_made_twice_with_one_nonce, setup),
        cmocka_unit_test_setup(every_changed_byte_is_damage, setup),
        cmocka_unit_test_setup(a_key_that_is_gone_or_cut_is_told, setup),
        cmocka_unit_test_setup(a_sealed_list_that_is_not_as_described_is_damage,
                               setup),
        cmocka_unit_test_setup(an_envelope_that_is_not_as_described_is_damage,
                               setup),
        cmocka_unit_test_setup(an_old_file_is_read_and_sealed, setup),
        cmocka_unit_test_setup(an_old_file_that_cannot_be_sealed_is_used,
                               setup),
        cmocka_unit_test_setup(the_key_may_live_in_the_keyring, setup),
        cmocka_unit_test_setup(the_keyring_is_asked_once, setup),
        cmocka_unit_test_setup(a_keyring_that_is_away_is_no_damage, setup),
        cmocka_unit_test_setup(a_file_cannot_say_that_its_key_is_elsewhere,
                               setup),
        cmocka_unit_test_setup(faults_leave_the_old_list_or_the_new, setup),
        cmocka_unit_test_setup(faults_of_the_first_save_leave_nothing_or_all,
                               setup),
        cmocka_unit_test_setup(forgetting_takes_file_and_key, setup),
        cmocka_unit_test_setup(one_process_at_a_time_holds_the_lock, setup),
        cmocka_unit_test_setup(faults_of_the_port_are_told, setup),
    };
    return cmocka_run_group_tests_name("core/credential", tests, NULL, NULL);
}
