/*
 * What the questions of the SQLite engine are made of: a statement is bound
 * in order, stepped, read in order; the pieces that several of them need.
 * Private to store_*.c of that engine.
 *
 *     struct query q = query_of(e, SQL_MEMBER);
 *     query_str(&q, fleet_id);
 *     int n = query_row(&q);        1, 0, or negative
 *     if (n == 1)
 *         GET_STR(&q, out->name);
 *     query_end(&q);
 */
#ifndef RELAY_STORE_QUERY_H
#define RELAY_STORE_QUERY_H

#include "relay/store_sqlite.h"

struct query {
    struct store_engine *e;
    sqlite3_stmt *st;
    int at; /* next parameter, then next column */
    int rc; /* first failure of a bind */
};

struct query query_of(struct store_engine *e, enum store_sql which);

/* Nothing is copied: inputs live in the ask or in the caller's frame until
 * the statement was stepped and ended. */
void query_str(struct query *q, const char *s);
void query_blob(struct query *q, const uint8_t *p, size_t len);
void query_int(struct query *q, int64_t v);
void query_facts(struct query *q, const struct store_facts *f);
void query_client(struct query *q, const struct store_client *c);
void query_page(struct query *q, uint32_t limit);

/* 1: a row is there, columns may be read. 0: no (further) row. Or negative. */
int query_row(struct query *q);
void query_end(struct query *q);
/* For a statement without rows: OK, ERR_EXISTS for a broken constraint. */
int query_run(struct query *q);
/* For one whose first row tells a number: 0 or more, 0 without a row. */
int64_t query_count(struct query *q);
/* Rows that the last statement changed. */
uint32_t query_changed(struct store_engine *e);

void query_get_str(struct query *q, char *out, size_t cap);
#define GET_STR(q, field) query_get_str((q), (field), sizeof(field))
int64_t query_get_int(struct query *q);
bool query_get_bool(struct query *q);
/* Returns the length of what is there; `out` is filled up with zeros. */
uint32_t query_get_blob(struct query *q, uint8_t *out, size_t cap);
/* The least role for NULL, or for a word that we do not know. */
enum store_role query_get_role(struct query *q);
void query_get_client(struct query *q, struct store_client *c);
void query_get_policy(struct query *q, struct store_policy *p);

/* ---- pieces ------------------------------------------------------------------ */

/* A question that may only look, or only note, finds that it must do more:
 * OK when it may, else STORE_RAISE, to be returned at once. */
#define STORE_RAISE 1
int query_need(struct store_engine *e, enum store_effort effort);

/* 16 random bytes as a version 4 UUID (RFC 9562, 5.4). */
void query_make_id(char out[UUID_CAP], const uint8_t random[STORE_RANDOM]);

bool query_is_over(const struct store_engine *e, int64_t expires_ms);

/* Set the outcome; OK. */
int query_say(struct store_answer *a, enum store_outcome outcome);
/* The same, and what was written stays though the outcome is not DONE. */
int query_keep(struct store_engine *e, struct store_answer *a,
               enum store_outcome outcome);
/* A constraint that an insert met, as the outcome it means; or the error. */
int query_say_unless(int err, struct store_answer *a,
                     enum store_outcome outcome);

/* The line that a question writes about itself. */
struct query_line {
    const struct store_actor *actor;
    const char *fleet_id;
    const char *action;
    const char *object;
    const char *outcome; /* NULL: "done" */
    const char *detail;  /* NULL: "" */
};
int query_audit(struct store_engine *e, const struct query_line *line);

/* ---- what several subjects ask each other --------------------------------------- */

/* OK when the fleet is there (not removed), else says UNKNOWN; true for go. */
bool query_fleet_here(struct store_engine *e, const char *fleet_id, int *err,
                      struct store_answer *a);

/* Columns of a macro in store_sql.c. *disabled is the person's. */
void query_get_who(struct query *q, struct store_who *who, bool *disabled);

/* The member as far as it is known before there is a token: 1, 0, negative. */
int query_member(struct store_engine *e, const char *fleet_id,
                 const char *person_id, struct store_who *who, bool *disabled);

/* Insert a membership: says LIMIT when the person has enough of them. */
int query_join(struct store_engine *e, const char *fleet_id,
               const char *person_id, enum store_role role,
               struct store_answer *a);

/* An invitation by hash; 1 when it is open, else the outcome is said. */
int query_invite_open(struct store_engine *e, const uint8_t hash[STORE_HASH],
                      struct store_invite *out, struct store_answer *a);
int query_invite_set(struct store_engine *e, const struct store_invite *i,
                     enum store_invite_state state);

/* Hand over rows until there are enough of them; see store_list. */
typedef void (*query_get_row)(struct query *q, union store_row *row);
int query_list(struct query *q, const struct store_ask *ask, uint32_t limit,
               query_get_row get, struct store_answer *a);

/* A machine by its home, or as a fleet sees it: 1, 0 or negative. */
int query_machine(struct store_engine *e, enum store_sql which,
                  const char *fleet_id, const char *id,
                  struct store_machine *out);
void query_get_machine(struct query *q, struct store_machine *m);
/* Write its state, why, and who holds it. */
int query_set_state(struct store_engine *e, const struct store_machine *m);

/* May the machine come in at all, as its state is? Says the outcome; OK. */
int query_state(const struct store_machine *m, struct store_answer *a);

/* May this process hold the machine? Says the outcome, and writes what comes
 * of it; see MACHINE_LOGIN. */
int query_claim(struct store_engine *e, struct store_machine *m,
                const struct store_claim *claim, struct store_answer *a);

#endif
