/*
 * The environment and arguments of what we start for an operator: built from
 * this user's own, never inherited as a whole, with a few names that an
 * operator may set.
 */
#ifndef CORE_ENVIRON_H
#define CORE_ENVIRON_H

#include "base/bytes.h"
#include "base/text.h"
#include "codec/msg.h"
#include "limits.h"

struct environ_facts {
    const char *term;    /* as the operator asks; checked here */
    const char *session; /* CMDOP_SESSION; NULL: none */
    const char *machine; /* CMDOP_MACHINE */
    const char *who;     /* CMDOP_OPERATOR */
};

/* A vector under construction: NULL-ended, text in one buffer. */
struct environ {
    const char *list[ENV_COUNT_MAX + 16];
    size_t count;
    char buf[ARGS_MAX];
    size_t used;
};

/*
 * Fill `e`. `asked` holds the operator's NAME=value pairs: those of the
 * allow-list (LANG, LC_*, TZ, COLORTERM, TERM_PROGRAM) are taken, others are
 * dropped. OK, or ERR_TOO_BIG.
 */
int environ_build(struct environ *e, const struct environ_facts *f,
                  const struct msg_strings *asked);

/* TERM is letters, digits, '-', '+', '.', '_', at most 32. */
bool environ_term_ok(const char *term);

#endif
