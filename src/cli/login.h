/* Signing in and out; `cmd` is the verb that was typed. */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "core/cmd.h"
#include "core/credential.h"

int login_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
              char **argv);
int logout_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
               char **argv);

/*
 * Which relay to sign in to: cmdop://HOST:PORT/PIN, with or without the KEY of
 * a join string, or the name of a stored sign-in; `said` NULL means the
 * current one, else the relay of this machine. HOST:PORT alone is a relay whose
 * key authorities vouch for: its pin is zeros.
 * out   its name, address and pin; what is known from before is kept
 * Returns OK, or an error with a sentence.
 */
int login_target(const struct paths *p, const char *said,
                 struct credential *out, struct text *why);

/* Show a page in a browser, if a person sits at a desktop here. */
void login_browse(const char *url);

#endif
