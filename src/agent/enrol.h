/*
 * Enrolling this machine at a relay: what `cmdop join` does, and an agent or a
 * sidecar that finds a join key in its environment.
 *
 *     CMDOP_JOIN_KEY_FILE   a file with a join string, or with a key alone
 *     CMDOP_JOIN_KEY        the string or the key itself
 *     CMDOP_SERVER_URL      the relay, for a key alone:
 *                           cmdop://HOST:PORT/PIN; without PIN its
 *                           certificate must be good (core/trust.h), and the
 *                           key that it shows is pinned
 *     CMDOP_CA_FILE         authorities for that, else the system's
 *     CMDOP_MACHINE_NAME    the name to have; else the host name
 */
#ifndef AGENT_ENROL_H
#define AGENT_ENROL_H

#include "base/text.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "limits.h"

/* Holds a secret: enrol_wipe. */
struct enrolment {
    struct joinstr to;
    char name[NAME_CAP];
    bool is_first;       /* without a pin: authorities vouch, once */
    const char *ca_file; /* those; NULL: by the environment, or the system's */
};

/*
 * What to join with.
 * string   "-": standard input; NULL: from the environment
 * server   NULL: from the environment
 * name     NULL: from the environment
 * Returns OK; ERR_NOT_FOUND when nothing is given, without a word; ERR_RANGE
 * when it is no join string, or a part is missing; or what the port says when
 * a file cannot be read; with a sentence.
 */
int enrol_read(struct enrolment *e, const char *string, const char *server,
               const char *name, struct text *why);

/* The name to have: this one, or the environment's if NULL, or the host's. */
void enrol_name(const char *name, char out[NAME_CAP]);

/* Is a join key in the environment? */
bool enrol_is_offered(void);

/* How it went; `said` is for people: of several lines when it is done. */
struct enrol_result {
    int status;              /* CMD_OK, or as a verb ends */
    bool again;              /* trying again may help, */
    uint32_t retry_after_ms; /* after so long; 0: as one likes */
    char said[768];
};

/* Make the identity if there is none, prove it to the relay, and write down
 * what the agent needs. Turns a loop of its own until it is over. */
void enrol(const struct enrolment *e, const struct paths *paths,
           const char *version, struct enrol_result *out);

/* How it went, from a verb of its own, which also tells what comes next: the
 * agent. The exit status. */
int enrol_say(const struct enrol_result *r, const struct paths *paths);

void enrol_wipe(struct enrolment *e);

#endif
