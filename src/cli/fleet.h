/*
 * Questions to machines: to one, or to all that are online at once. And
 * finding the one machine that has a certain session or job.
 */
#ifndef CLI_FLEET_H
#define CLI_FLEET_H

#include "cli/where.h"
#include "codec/json.h"
#include "codec/msg.h"
#include "core/cmd.h"
#include "limits.h"

/* A machine that answers. */
struct fleet_machine {
    char id[40]; /* "": the local one */
    char name[NAME_CAP];
};

/* How an Open names it. */
static inline const char *fleet_target(const struct fleet_machine *m)
{
    return m->id[0] != '\0' ? m->id : m->name;
}

/* Which machine a list in JSON names: as the relay says; where one was asked
 * for by whatever word, as it says itself. */
void fleet_name(struct json_out *o, const struct fleet_machine *m,
                const char *id, const char *name);

struct fleet_question {
    const char *host; /* NULL: all of the fleet that are online */
    const char *method;
    const msg_call *call; /* NULL: none */
    const char *about;    /* what a failure is said of; NULL: the machine */
    void (*record)(void *ctx, const struct fleet_machine *m,
                   struct view record);
    void *ctx;
};

/* Ask; failures are said, those of single machines among many as a note. An
 * exit status: not 0 when nobody could be asked. */
int fleet_ask(const struct cmd_env *env, const struct where *where,
              const struct fleet_question *q);

/* What a record is called. */
struct fleet_key {
    char id[80];
    char name[NAME_CAP]; /* "": it has none */
    bool old;            /* another one may have the name by now */
};

struct fleet_found {
    struct fleet_machine machine;
    char id[80];
};

/* Tell its machine to do something with it, "sessions.destroy" for example.
 * `call` gets the id. An exit status; what is wrong was said. */
int fleet_order(const struct cmd_env *env, const struct where *where,
                const struct fleet_found *found, const char *method,
                msg_call *call);

/*
 * Find what `ref` means: [HOST:]ID, where ID may be a name or the first four
 * or more characters of an id. `list` is the method that lists them, `key`
 * reads its records. An exit status; what is wrong was said.
 */
int fleet_find(const struct cmd_env *env, const struct where *where,
               const char *ref, const char *list,
               bool (*key)(struct view record, struct fleet_key *out),
               struct fleet_found *out);

#endif
