/*
 * What every verb of the command line shares: the table of verbs, options,
 * and saying things. Results go to standard output, everything else to
 * standard error; a complaint tells what happened and what to do.
 */
#ifndef CORE_CMD_H
#define CORE_CMD_H

#include "base/text.h"
#include "codec/json.h"

/* Our own failures, apart from a remote program's status. */
enum cmd_status {
    CMD_OK = 0,
    CMD_FAILED = 1,
    CMD_USAGE = 2,
    CMD_DENIED = 6,
    CMD_TIMEOUT = 124,
    CMD_CANNOT_RUN = 126,
    CMD_NO_PROGRAM = 127,
    CMD_PIPE = 128 + 13, /* as if ended by SIGPIPE */
    CMD_TRANSPORT = 255,
};

struct cmd_env {
    const char *version;
    const struct cmd *const *table; /* NULL-ended */
};

struct cmd {
    const char *name;
    const char *summary; /* one line in the list of verbs; NULL: not there */
    const char *help;    /* one screen, with an example */
    /* argv[0] is the verb; returns the exit status. */
    int (*run)(const struct cmd_env *env, int argc, char **argv);
};

/* Find the verb and run it. The exit status of the program. */
int cmd_main(const struct cmd_env *env, int argc, char **argv);

/* ---- options ------------------------------------------------------------------ */

/* One option: a flag when `value` is NULL. */
struct cmd_opt {
    const char *name;  /* "--json" */
    const char *brief; /* "-j", or NULL */
    bool *flag;
    const char **value;
};

/*
 * Take the options off argv[1..]; what is left moves to the front of argv and
 * *argc is their number. `--` ends the options; everything behind it stays
 * and *rest is its index among what is left (argc when there was none).
 * --help prints `cmd->help`. Returns -1 to go on, or an exit status.
 */
int cmd_options(const struct cmd *cmd, int *argc, char **argv, int *rest,
                const struct cmd_opt *opts, size_t count);

/* ---- saying --------------------------------------------------------------------- */

/* To standard output, as it is. */
void cmd_out(struct view v);
/* A finished JSON document and a line end. */
void cmd_out_json(const struct json_out *o);
/* A list as one JSON object, row by row: {"fleets":[{...},{...}]}. */
struct cmd_rows {
    const char *name;
    bool any;
};
void cmd_row(struct cmd_rows *rows, const struct json_out *o);
void cmd_rows_end(const struct cmd_rows *rows);
/* To standard error, "cmdop: " in front and a line end behind; NULL-ended. */
void cmd_say(const char *first, ...);
/* To standard error, as it is. */
void cmd_note(const char *text);
/* Do nothing for a while, in a verb that has no loop. */
void cmd_nap(uint64_t ms);
/* A usage mistake: the sentence, where to find help; returns CMD_USAGE. */
int cmd_usage(const struct cmd *cmd, const char *what, const char *value);
/* The same unless a machine takes these words as a command; then CMD_OK. */
int cmd_words(const struct cmd *cmd, int argc, char **argv);

/* The same unless this is a name that may be given, or NULL: 1 to 63 bytes,
 * not all of them blanks; then CMD_OK. */
int cmd_name(const struct cmd *cmd, const char *name);

#endif
