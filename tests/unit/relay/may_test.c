/*
 * Who may: the whole matrix, generated from the table of operations, against
 * a model that says the same in plain words and shares no code with it.
 */
#include "relay/may.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* ---- the model ------------------------------------------------------------- */

/*
 * who     g guest, p person, w web, k API key, m machine, h host
 * least   o owner, a admin, m member, v viewer: for what is not his own
 * own     the same for what is
 * scope   of an API key; "any"; "" without keys
 * needs   on the machine: view, execute, full; "" when it is about none
 * about   f a thing of a fleet, m a machine, s himself, n nobody
 */
static const struct rule {
    const char *name, *who;
    char least, own;
    const char *scope, *needs;
    char about;
} rules[] = {
    {"pty", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"exec", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"tcp", "pwk", 'm', 'm', "commands:execute", "full", 'm'},
    {"ask", "pwk", 'm', 'm', "agent:invoke", "full", 'm'},
    {"file.read", "pwk", 'm', 'm', "files:read", "full", 'm'},
    {"file.write", "pwk", 'm', 'm', "files:write", "full", 'm'},
    {"agent.status", "pwk", 'v', 'v', "machines:read", "view", 'm'},
    {"sessions.list", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"sessions.detach", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"sessions.destroy", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"jobs.list", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"jobs.signal", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"jobs.remove", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"password.key", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"password.unlock", "pwk", 'm', 'm', "commands:execute", "execute", 'm'},
    {"password.set", "pw", 'a', 'a', "", "full", 'm'},
    {"password.clear", "pw", 'a', 'a', "", "full", 'm'},
    {"password.revoke", "pw", 'a', 'a', "", "full", 'm'},
    {"machine.question", "pwk", 'm', 'm', "commands:execute", "full", 'm'},

    {"auth.device", "gpwk", 'v', 'v', "any", "", 'n'},
    {"auth.token", "gpwk", 'v', 'v', "any", "", 'n'},
    {"auth.revoke", "gpwk", 'v', 'v', "any", "", 'n'},
    {"auth.whoami", "pwk", 'v', 'v', "any", "", 's'},
    {"auth.approve", "pw", 'v', 'v', "", "", 's'},
    {"page.public", "gpwk", 'v', 'v', "any", "", 'n'},
    {"page.account", "w", 'v', 'v', "", "", 's'},
    {"account.set", "pw", 'v', 'v', "", "", 's'},
    {"account.password", "w", 'v', 'v', "", "", 's'},
    {"account.totp", "w", 'v', 'v', "", "", 's'},
    {"account.sign-out", "w", 'v', 'v', "", "", 's'},

    {"tokens.list", "pwh", 'a', 'v', "", "", 'f'},
    {"tokens.revoke", "pwh", 'a', 'v', "", "", 'f'},
    {"tokens.make", "h", 'o', 'o', "", "", 'f'},

    {"machines.list", "pwkh", 'v', 'v', "machines:read", "", 'f'},
    {"machines.show", "pwkh", 'v', 'v', "machines:read", "view", 'm'},
    {"machines.rename", "pwkh", 'a', 'a', "machines:write", "full", 'm'},
    {"machines.disable", "pwkh", 'a', 'a', "machines:write", "full", 'm'},
    {"machines.enable", "pwkh", 'a', 'a', "machines:write", "full", 'm'},
    {"machines.approve", "pwh", 'a', 'a', "", "full", 'm'},
    {"machines.reset", "pwh", 'a', 'a', "", "full", 'm'},
    {"machines.fleets", "pwh", 'a', 'a', "", "full", 'm'},
    {"machines.link", "pwh", 'a', 'a', "", "full", 'm'},
    {"machines.unlink", "pwh", 'a', 'a', "", "full", 'm'},
    {"machines.take", "pwh", 'a', 'a', "", "", 'f'},
    {"access.list", "pwkh", 'a', 'v', "permissions:manage", "", 'f'},
    {"access.set", "pwkh", 'a', 'a', "permissions:manage", "full", 'm'},
    {"joinkeys.list", "pwh", 'a', 'a', "", "", 'f'},
    {"joinkeys.make", "pwh", 'a', 'a', "", "", 'f'},
    {"joinkeys.revoke", "pwh", 'a', 'a', "", "", 'f'},

    {"apikeys.list", "pwh", 'a', 'v', "", "", 'f'},
    {"apikeys.make", "pwh", 'a', 'm', "", "", 'f'},
    {"apikeys.revoke", "pwh", 'a', 'v', "", "", 'f'},

    {"fleets.list", "pwkh", 'v', 'v', "any", "", 's'},
    {"fleets.use", "pw", 'v', 'v', "", "", 's'},
    {"fleets.make", "pwh", 'v', 'v', "", "", 's'},
    {"fleets.show", "pwkh", 'v', 'v', "any", "", 'f'},
    {"fleets.set", "pwh", 'a', 'a', "", "", 'f'},
    {"fleets.policy", "pwh", 'o', 'o', "", "", 'f'},
    {"fleets.remove", "pwh", 'o', 'o', "", "", 'f'},
    {"members.list", "pwh", 'v', 'v', "", "", 'f'},
    {"members.set", "pwh", 'a', 'a', "", "", 'f'},
    {"members.remove", "pwh", 'a', 'v', "", "", 'f'},
    {"invites.list", "pwh", 'a', 'a', "", "", 'f'},
    {"invites.make", "pwh", 'a', 'a', "", "", 'f'},
    {"invites.renew", "pwh", 'a', 'a', "", "", 'f'},
    {"invites.cancel", "pwh", 'a', 'a', "", "", 'f'},
    {"invites.show", "gpwk", 'v', 'v', "any", "", 'n'},
    {"invites.decline", "gpwk", 'v', 'v', "any", "", 'n'},
    {"invites.accept", "pw", 'v', 'v', "", "", 's'},

    {"audit.list", "pwh", 'm', 'm', "", "", 'f'},
    {"audit.export", "pwh", 'a', 'a', "", "", 'f'},

    {"people.list", "h", 'o', 'o', "", "", 'n'},
    {"people.make", "h", 'o', 'o', "", "", 'n'},
    {"people.enable", "h", 'o', 'o', "", "", 'n'},
    {"people.reset", "h", 'o', 'o', "", "", 'n'},
    {"relay.backup", "h", 'o', 'o', "", "", 'n'},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static const struct rule *rule_of(const char *name)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].name, name) == 0) {
            assert_null(found);
            found = &rules[i];
        }
    return found;
}

/* One cell of the matrix, in words. */
struct cell {
    char who;  /* as in `who` above */
    char role; /* o a m v */
    bool same_fleet;
    char whose;         /* 'm' mine, 't' another person's, 'f' the fleet's */
    char rank;          /* of the membership; '-': it is none */
    const char *access; /* "hidden", "view", "execute", "full" */
    bool has_scope;     /* the one that is needed; for "any": one of them */
};

static int place(const char *order, char c)
{
    return (int)(strchr(order, c) - order);
}

static int level(const char *access)
{
    return access[0] == '\0' || access[0] == 'h' ? 0 : place("hvef", access[0]);
}

static int model(const struct rule *r, const struct cell *c)
{
    if (strchr(r->who, c->who) == NULL)
        return c->who == 'g' ? ERR_AUTH : ERR_DENIED;
    if (c->who == 'h' || c->who == 'g')
        return OK;
    if (r->about == 'f' || r->about == 'm') {
        if (!c->same_fleet)
            return ERR_NOT_FOUND;
        if (r->about == 'm' && level(c->access) == 0)
            return ERR_NOT_FOUND;
    }
    if (r->about == 's' && c->whose == 't')
        return ERR_NOT_FOUND;
    if (place("oamv", c->role) >
        place("oamv", c->whose == 'm' ? r->own : r->least))
        return ERR_DENIED;
    if (c->rank != '-' && place("oamv", c->rank) < place("oamv", c->role))
        return ERR_DENIED;
    if (c->who == 'k' && !c->has_scope)
        return ERR_DENIED;
    return level(c->access) < level(r->needs) ? ERR_DENIED : OK;
}

/* ---- the matrix ------------------------------------------------------------- */

static const char kinds[] = "gpwkmh", roles[] = "oamv";
static const char *const accesses[] = {"hidden", "view", "execute", "full"};

#define FLEET_A "11111111-1111-4111-8111-111111111111"
#define FLEET_B "22222222-2222-4222-8222-222222222222"
#define MINE    "33333333-3333-4333-8333-333333333333"
#define THEIRS  "44444444-4444-4444-8444-444444444444"

static uint32_t scope_bit(const char *word)
{
    for (uint32_t n = 0; n < MAY_SCOPES; n++)
        if (strcmp(may_scope_str(n), word) == 0)
            return 1u << n;
    return 0;
}

static unsigned long cells, crossings;

/* The key has the scope it needs and no other, or every other. */
static uint32_t scopes(const struct rule *r, bool has)
{
    uint32_t all = (1u << MAY_SCOPES) - 1, bit = scope_bit(r->scope);
    if (strcmp(r->scope, "any") == 0)
        return has ? 1u << cells % MAY_SCOPES : 0;
    return has ? bit : all & ~bit;
}

static void try_one(enum may_op op, const struct rule *r, const struct cell *c,
                    bool in_b)
{
    const char *mine = in_b ? FLEET_B : FLEET_A;
    const char *other = in_b ? FLEET_A : FLEET_B;
    const struct may_caller caller = {
        .kind = (enum may_kind)place(kinds, c->who),
        .role = (enum store_role)place(roles, c->role),
        .scopes = scopes(r, c->has_scope),
        .fleet_id = mine,
        .person_id = MINE,
    };
    const struct may_object object = {
        .fleet_id = c->same_fleet ? mine : other,
        .owner_id = c->whose == 'm'   ? MINE
                    : c->whose == 't' ? THEIRS
                                      : NULL,
        .access = (enum may_access)level(c->access),
        .has_rank = c->rank != '-',
        .rank = c->rank == '-' ? STORE_OWNER
                               : (enum store_role)place(roles, c->rank),
    };
    struct may_no no = {NULL, NULL};
    int want = model(r, c), got = may(&caller, op, &object, &no);
    if (got != want)
        fail_msg("%s: %s, role %c, %s fleet, whose %c, rank %c, %s, %sscope: "
                 "%d instead of %d",
                 r->name, may_kind_str(caller.kind), c->role,
                 c->same_fleet ? "own" : "other", c->whose, c->rank, c->access,
                 c->has_scope ? "" : "no ", got, want);
    bool tenant = r->about == 'f' || r->about == 'm';
    if (got == OK && tenant && !c->same_fleet && c->who != 'h')
        crossings++;
    if (got != OK) {
        assert_non_null(no.message);
        assert_non_null(no.remedy);
        assert_true(strlen(no.message) > 10);
        assert_true(got == ERR_AUTH || got == ERR_DENIED ||
                    got == ERR_NOT_FOUND);
    }
    assert_int_equal(may(&caller, op, &object, NULL), got);
    cells++;
}

static void try_objects(enum may_op op, const struct rule *r, struct cell *c)
{
    static const char whose[] = "mtf", ranks[] = "-oamv";
    for (c->same_fleet = false;; c->same_fleet = true) {
        for (const char *w = whose; *w != '\0'; w++)
            for (const char *k = ranks; *k != '\0'; k++)
                for (int a = 0; a < 4; a++)
                    for (int s = 0; s < 2; s++) {
                        c->whose = *w;
                        c->rank = *k;
                        c->access = accesses[a];
                        c->has_scope = s == 1;
                        try_one(op, r, c, false);
                        try_one(op, r, c, true);
                    }
        if (c->same_fleet)
            return;
    }
}

static void every_cell_is_as_the_model_says(void **state)
{
    (void)state;
    for (enum may_op op = MAY_NOTHING + 1; op < MAY_OPS; op++) {
        assert_non_null(may_row(op));
        const struct rule *r = rule_of(may_row(op)->name);
        if (r == NULL)
            fail_msg("%s is not in the model", may_row(op)->name);
        for (const char *k = kinds; *k != '\0'; k++)
            for (const char *o = roles; *o != '\0'; o++) {
                struct cell c = {.who = *k, .role = *o};
                try_objects(op, r, &c);
            }
    }
    assert_int_equal(RULES, MAY_OPS - 1);
    assert_int_equal(crossings, 0);
    printf("# %lu cells: %d operations, %d kinds of callers, 4 roles, "
           "2 fleets; %lu crossings\n",
           cells, MAY_OPS - 1, MAY_KINDS, crossings);
}

/* ---- what lies outside the matrix --------------------------------------------- */

static void the_table_is_whole(void **state)
{
    enum may_op op;
    (void)state;
    assert_int_equal(may_check(&op), OK);
    for (op = MAY_NOTHING + 1; op < MAY_OPS; op++)
        assert_int_equal(may_find(view_str(may_row(op)->name)), op);
}

static void what_is_no_operation_is_nobodys(void **state)
{
    const struct may_caller host = {.kind = MAY_HOST};
    const struct may_caller nobody = {.kind = MAY_KINDS};
    const struct may_object o = {0};
    struct may_no no;
    (void)state;
    assert_int_equal(may(&host, MAY_NOTHING, &o, &no), ERR_DENIED);
    assert_int_equal(may(&host, MAY_OPS, &o, &no), ERR_DENIED);
    assert_int_equal(may(&nobody, MAY_PAGE_PUBLIC, &o, &no), ERR_DENIED);
    assert_null(may_row(MAY_NOTHING));
    assert_null(may_row(MAY_OPS));
    assert_int_equal(may_find(view_str("machines.eat")), MAY_NOTHING);
    assert_int_equal(may_find(view_str("")), MAY_NOTHING);
}

/* Two callers without a fleet are not of the same one. */
static void no_fleet_is_not_a_fleet(void **state)
{
    const struct may_caller c[] = {
        {.kind = MAY_PERSON, .fleet_id = ""},
        {.kind = MAY_PERSON, .fleet_id = NULL},
        {.kind = MAY_PERSON, .fleet_id = FLEET_A},
    };
    const struct may_object o[] = {
        {.fleet_id = "", .access = MAY_ACCESS_FULL},
        {.fleet_id = NULL, .access = MAY_ACCESS_FULL},
    };
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++) {
            assert_int_equal(may(&c[i], MAY_OPEN_PTY, &o[j], NULL),
                             ERR_NOT_FOUND);
            assert_int_equal(may(&c[i], MAY_MACHINES_LIST, &o[j], NULL),
                             ERR_NOT_FOUND);
        }
}

static void a_machine_may_nothing(void **state)
{
    const struct may_caller m = {
        .kind = MAY_MACHINE, .role = STORE_OWNER, .fleet_id = FLEET_A};
    const struct may_object o = {.fleet_id = FLEET_A,
                                 .access = MAY_ACCESS_FULL};
    (void)state;
    for (enum may_op op = MAY_NOTHING; op <= MAY_OPS; op++)
        assert_int_equal(may(&m, op, &o, NULL), ERR_DENIED);
}

static void what_is_set_binds_who_may_not_set_it(void **state)
{
    (void)state;
    for (int set = 0; set < 4; set++)
        for (int role = 0; role < 4; role++) {
            enum may_access got =
                may_access_of((enum store_role)role, true, set);
            int most = role == STORE_VIEWER ? 1 : 3;
            assert_int_equal(got, role <= STORE_ADMIN ? 3
                                  : set < most        ? set
                                                      : most);
        }
    assert_int_equal(may_access_of(STORE_OWNER, false, 0), MAY_ACCESS_FULL);
    assert_int_equal(may_access_of(STORE_MEMBER, false, 0), MAY_ACCESS_FULL);
    assert_int_equal(may_access_of(STORE_VIEWER, false, 0), MAY_ACCESS_VIEW);
}

static void scopes_are_words_with_one_space_between(void **state)
{
    static const struct {
        const char *words;
        int err;
        uint32_t set;
    } table[] = {
        {"", OK, 0},
        {"machines:read", OK, 1},
        {"permissions:manage machines:read", OK, 129},
        {"files:read files:read", OK, 8},
        {"machines:read machines:write commands:execute files:read "
         "files:write schedules:manage agent:invoke permissions:manage",
         OK, 255},
        {" machines:read", ERR_RANGE, 0},
        {"machines:read ", ERR_RANGE, 0},
        {"machines:read  files:read", ERR_RANGE, 0},
        {"machines:read,files:read", ERR_RANGE, 0},
        {"Machines:read", ERR_RANGE, 0},
        {"machines:rea", ERR_RANGE, 0},
        {"everything", ERR_RANGE, 0},
        {" ", ERR_RANGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint32_t set = 4711;
        assert_int_equal(may_scopes(view_str(table[i].words), &set),
                         table[i].err);
        assert_int_equal(set, table[i].err == OK ? table[i].set : 4711);
    }
    assert_null(may_scope_str(MAY_SCOPES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_the_model_says),
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(what_is_no_operation_is_nobodys),
        cmocka_unit_test(no_fleet_is_not_a_fleet),
        cmocka_unit_test(a_machine_may_nothing),
        cmocka_unit_test(what_is_set_binds_who_may_not_set_it),
        cmocka_unit_test(scopes_are_words_with_one_space_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
