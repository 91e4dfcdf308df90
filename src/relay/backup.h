/*
 * `cmdop server backup FILE` and `cmdop server restore FILE`: a relay's store
 * and keys as one file (bundle.h), and back.
 *
 * A restore replaces several files and happens as a whole: the backup is
 * first kept in the state folder as "server.restore", in one step; from then
 * on it holds, and every verb of the relay that finds that file puts its
 * content in place before it looks at anything else (backup_settle). Emptied,
 * again in one step, it is done.
 */
#ifndef RELAY_BACKUP_H
#define RELAY_BACKUP_H

#include "base/text.h"
#include "core/cmd.h"

/* argv[0] is "backup", "restore". */
int backup_make_run(const struct cmd_env *env, int argc, char **argv);
int backup_restore_run(const struct cmd_env *env, int argc, char **argv);

/* Finish a restore that was interrupted in this state folder, if there is
 * one. OK, or a negative code and a sentence in *why. */
int backup_settle(const char *folder, struct text *why);

#endif
