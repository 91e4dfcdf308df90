/* Which machine a person means: one table of machines, one of what is typed. */
#include "relay/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define CAP 16

static struct registry reg;
static _Alignas(64) uint8_t memory[CAP * REGISTRY_ROW_BYTES + REGISTRY_BYTES];

static const struct {
    const char *id, *fleet, *name, *hostname;
} machines[] = {
    {"11111111-0000-4000-8000-000000000001", "f1", "web-1", "web1.example"},
    {"22222222-0000-4000-8000-000000000002", "f1", "web-2", "web2.example"},
    {"22233333-0000-4000-8000-000000000003", "f1", "db", "macbook.local"},
    {"44444444-0000-4000-8000-000000000004", "f1", "twin", "twin-a"},
    {"55555555-0000-4000-8000-000000000005", "f1", "twin", "twin-b"},
    {"66666666-0000-4000-8000-000000000006", "f1", "web1.example", "odd"},
    {"77777777-0000-4000-8000-000000000007", "f2", "web-1", "web1.example"},
    {"88888888-0000-4000-8000-000000000008", "f2", "secret", "secret"},
    {"99999999-0000-4000-8000-000000000009", "f1", "a", "b"},
    {"aaaaaaaa-0000-4000-8000-00000000000a", "f1", "prod", "prod.local"},
    {"bbbbbbbb-0000-4000-8000-00000000000b", "f1", "prod-2", "x.local"},
};

#define COUNT (sizeof(machines) / sizeof(machines[0]))

/* `found` is an index; MANY when several match, NONE when no one does. */
enum { NONE = -1, MANY = -2 };

static const struct {
    const char *fleet, *typed;
    int found;
} typed[] = {
    {"f1", "11111111-0000-4000-8000-000000000001", 0},
    {"f2", "11111111-0000-4000-8000-000000000001", NONE},
    {"f1", "web-1", 0},
    {"f2", "web-1", 6},
    {"f1", "web2.example", 1},
    {"f1", "web2.example.local", 1},
    {"f1", "macbook", 2},
    {"f1", "macbook.local", 2},
    {"f1", "twin", MANY},
    {"f1", "twin-b", 4},
    {"f1", "web1.example", MANY}, /* one's name, the other's host name */
    {"f2", "web1.example", 6},
    {"f1", "secret", NONE},
    {"f1", "web", MANY},
    {"f1", "web-", MANY},
    {"f1", "web2", 1},
    {"f1", "mac", 2},
    {"f1", "222", MANY},
    {"f1", "22222", 1},
    {"f1", "2223", 2},
    {"f1", "db", 2},
    {"f1", "d", NONE}, /* one letter is no prefix */
    {"f1", "a", 8},    /* but it may be a whole name */
    {"f1", "b", 8},
    {"f1", "prod", 9}, /* whole goes before prefix */
    {"f1", "pro", MANY},
    {"f1", ".local", NONE},
    {"f1", "", NONE},
    {"f1", "web-1 ", NONE},
    {"f1", "WEB-1", NONE},
    {"f1", "nothing-like-it", NONE},
    {"", "web-1", NONE},
    {"f3", "web-1", NONE},
};

static int setup(void **state)
{
    struct arena a;
    (void)state;
    memset(memory, 0xee, sizeof(memory));
    arena_init(&a, SPAN_ARRAY(memory));
    registry_init(&reg, &a, CAP);
    return 0;
}

static void fill(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        struct machine *m = registry_put(&reg, machines[i].id);
        assert_non_null(m);
        strcpy(m->fleet_id, machines[i].fleet);
        strcpy(m->name, machines[i].name);
        strcpy(m->hostname, machines[i].hostname);
    }
}

static int resolve(const char *fleet, const char *target, struct machine **out,
                   char *buf, size_t cap)
{
    struct text names;
    text_init(&names, buf, cap);
    return registry_resolve(&reg, fleet, target, NULL, NULL, out, &names);
}

static void what_is_typed_finds_whom_the_table_says(void **state)
{
    char names[400];
    (void)state;
    fill();
    for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
        struct machine *m = NULL;
        int err =
            resolve(typed[i].fleet, typed[i].typed, &m, names, sizeof(names));
        int expected = typed[i].found == MANY   ? ERR_LIMIT
                       : typed[i].found == NONE ? ERR_NOT_FOUND
                                                : OK;
        if (err != expected)
            print_message("typed: %s\n", typed[i].typed);
        assert_int_equal(err, expected);
        if (err == OK)
            assert_string_equal(m->id, machines[typed[i].found].id);
        else
            assert_null(m);
    }
}

static void candidates_are_named_so_that_one_can_choose(void **state)
{
    char names[400];
    struct machine *m;
    (void)state;
    fill();
    assert_int_equal(resolve("f1", "twin", &m, names, sizeof(names)),
                     ERR_LIMIT);
    assert_string_equal(names, "twin (44444444), twin (55555555)");
    assert_int_equal(resolve("f1", "nothing", &m, names, sizeof(names)),
                     ERR_NOT_FOUND);
    assert_string_equal(names, "");
}

static void many_candidates_are_cut_short(void **state)
{
    char names[400], id[UUID_CAP], small[20];
    struct machine *m;
    (void)state;
    for (int i = 0; i < CAP; i++) {
        snprintf(id, sizeof(id), "%08u-0000", (unsigned)i);
        m = registry_put(&reg, id);
        strcpy(m->fleet_id, "f");
        strcpy(m->name, "same");
    }
    assert_int_equal(resolve("f", "same", &m, names, sizeof(names)), ERR_LIMIT);
    assert_non_null(strstr(names, "(00000007)"));
    assert_null(strstr(names, "(00000008)"));
    assert_int_equal(resolve("f", "same", &m, small, sizeof(small)),
                     ERR_LIMIT); /* no room for all: cut, not broken */
}

static void a_machine_has_one_row(void **state)
{
    (void)state;
    fill();
    struct machine *m = registry_put(&reg, machines[3].id);
    assert_string_equal(m->name, "twin");
    assert_int_equal(reg.count, COUNT);
    assert_ptr_equal(registry_find(&reg, machines[3].id), m);
    assert_null(registry_find(&reg, "44444444"));
}

static void a_full_table_takes_no_more(void **state)
{
    char id[UUID_CAP];
    (void)state;
    for (int i = 0; i < CAP; i++) {
        snprintf(id, sizeof(id), "%d", i);
        struct machine *m = registry_put(&reg, id);
        assert_non_null(m);
        assert_string_equal(m->name, ""); /* a fresh row is empty */
        assert_null(m->conn);
    }
    assert_null(registry_put(&reg, "one more"));
    assert_non_null(registry_put(&reg, "3"));
}

/* Many rows under an index: every one is found, none that is not there. */
static void each_of_many_is_found(void **state)
{
    static _Alignas(64)
        uint8_t many[5000 * REGISTRY_ROW_BYTES + REGISTRY_BYTES];
    struct arena a;
    char id[UUID_CAP];
    (void)state;
    arena_init(&a, SPAN_ARRAY(many));
    registry_init(&reg, &a, 5000);
    for (int round = 0; round < 2; round++)
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", i * 7919u, i);
            struct machine *m = registry_put(&reg, id);
            assert_ptr_equal(m, &reg.machines[i]);
            assert_ptr_equal(registry_find(&reg, id), m);
            id[0] = 'x';
            assert_null(registry_find(&reg, id));
        }
    assert_int_equal(reg.count, 5000);
}

static void a_linked_machine_is_seen_from_both_fleets(void **state)
{
    char names[400];
    struct machine *m, *db = NULL;
    (void)state;
    fill();
    db = registry_find(&reg, machines[2].id);
    assert_int_equal(resolve("f2", "db", &m, names, sizeof(names)),
                     ERR_NOT_FOUND);
    assert_int_equal(registry_link(&reg, db, "f2"), OK);
    assert_int_equal(registry_link(&reg, db, "f2"), OK); /* is once */
    assert_int_equal(registry_link(&reg, db, "f3"), OK);
    assert_int_equal(registry_link(&reg, db, "f1"), OK); /* its home */
    assert_int_equal(resolve("f2", "db", &m, names, sizeof(names)), OK);
    assert_ptr_equal(m, db);
    assert_true(registry_sees(&reg, "f1", db));
    assert_true(registry_sees(&reg, "f3", db));
    assert_false(registry_sees(&reg, "f4", db));
    assert_false(registry_sees(&reg, "", db));
    registry_unlink(&reg, db, "f2");
    registry_unlink(&reg, db, "f2");
    registry_unlink(&reg, db, "f1"); /* a home is no link */
    assert_true(registry_sees(&reg, "f1", db));
    assert_false(registry_sees(&reg, "f2", db));
    assert_true(registry_sees(&reg, "f3", db));
}

static void links_are_bounded_and_used_again(void **state)
{
    char fleet[UUID_CAP];
    (void)state;
    fill();
    struct machine *m = &reg.machines[0];
    for (int i = 0; i < CAP; i++) {
        snprintf(fleet, sizeof(fleet), "more-%d", i);
        assert_true(registry_room(&reg));
        assert_int_equal(registry_link(&reg, m, fleet), OK);
    }
    assert_false(registry_room(&reg));
    assert_int_equal(registry_link(&reg, m, "too-much"), ERR_FULL);
    registry_unlink(&reg, m, "more-3");
    assert_true(registry_room(&reg));
    assert_int_equal(registry_link(&reg, &reg.machines[1], "other"), OK);
    assert_true(registry_sees(&reg, "other", &reg.machines[1]));
    assert_false(registry_sees(&reg, "other", m));
    assert_true(registry_sees(&reg, "more-0", m));
}

static int gone_count;

static void on_gone(void *ctx, struct machine *m, const char *fleet_id)
{
    assert_ptr_equal(ctx, &reg);
    assert_string_equal(m->name, fleet_id[0] == '\0' ? "db" : "web-1");
    assert_true(fleet_id[0] == '\0' || fleet_id[0] == 'f');
    gone_count++;
}

/* What the store does not name any more is no fleet's: neither a machine nor
 * a link. What it names stays what it is. */
static void a_round_forgets_what_was_not_put(void **state)
{
    (void)state;
    fill();
    struct machine *db = &reg.machines[2], *web = &reg.machines[0];
    assert_int_equal(registry_link(&reg, web, "f2"), OK);
    assert_int_equal(registry_link(&reg, web, "f3"), OK);
    gone_count = 0;
    registry_round(&reg);
    for (size_t i = 0; i < COUNT; i++)
        if (i != 2)
            (void)registry_put(&reg, machines[i].id);
    assert_int_equal(registry_link(&reg, web, "f3"), OK);
    assert_true(registry_sees(&reg, "f2", web)); /* until the round is over */
    registry_round_over(&reg, on_gone, &reg);
    assert_int_equal(gone_count, 2);
    assert_false(registry_sees(&reg, "f1", db));
    assert_true(registry_sees(&reg, "f1", web));
    assert_false(registry_sees(&reg, "f2", web));
    assert_true(registry_sees(&reg, "f3", web));
    registry_round(&reg);
    for (size_t i = 0; i < COUNT; i++)
        if (i != 2)
            (void)registry_put(&reg, machines[i].id);
    registry_round_over(&reg, on_gone, &reg);
    assert_int_equal(gone_count, 3); /* f3 now; the others once */
}

static bool all_but_twin_a(void *ctx, const struct machine *m)
{
    (void)ctx;
    return strcmp(m->hostname, "twin-a") != 0;
}

/* Neither by its name nor among the candidates. */
static void what_is_not_shown_is_not_there(void **state)
{
    char names[400];
    struct text t;
    struct machine *m;
    (void)state;
    fill();
    TEXT_OF(&t, names);
    assert_int_equal(
        registry_resolve(&reg, "f1", "twin", all_but_twin_a, NULL, &m, &t), OK);
    assert_string_equal(m->hostname, "twin-b");
    TEXT_OF(&t, names);
    assert_int_equal(registry_resolve(&reg, "f1", machines[3].id,
                                      all_but_twin_a, NULL, &m, &t),
                     ERR_NOT_FOUND);
    assert_string_equal(names, "");
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(what_is_typed_finds_whom_the_table_says),
        FACT(candidates_are_named_so_that_one_can_choose),
        FACT(many_candidates_are_cut_short),
        FACT(a_machine_has_one_row),
        FACT(a_full_table_takes_no_more),
        FACT(each_of_many_is_found),
        FACT(a_linked_machine_is_seen_from_both_fleets),
        FACT(links_are_bounded_and_used_again),
        FACT(a_round_forgets_what_was_not_put),
        FACT(what_is_not_shown_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
