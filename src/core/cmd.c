/* Verbs, options and messages; see cmd.h. */
#include "core/cmd.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"
#include "port/port.h"

static bool out_is_lost; /* of what was printed something is missing */

/* A disk that is full, for example. What runs on goes on. */
static void lose_out(void)
{
    if (!out_is_lost)
        cmd_say("the output cannot be written: ", port_why(), NULL);
    out_is_lost = true;
}

static void put(int handle, struct view v)
{
    while (v.len > 0) {
        struct port_want want = {.handle = handle, .want = PORT_WRITE};
        int n = port_send(handle, v);
        if (n == ERR_CLOSED && handle == PORT_STDOUT)
            port_exit(CMD_PIPE); /* nobody reads on: end as a filter ends */
        if (n < 0 && handle == PORT_STDOUT)
            lose_out();
        if (n < 0)
            return; /* nothing more can be said */
        if (n == 0)
            (void)port_wait(&want, 1, PORT_FOREVER);
        v = view_from(v, (size_t)n);
    }
}

void cmd_out(struct view v)
{
    put(PORT_STDOUT, v);
}

static void out_json(const struct json_out *o)
{
    struct view text;
    if (json_done(o, &text) != OK)
        port_fatal("a JSON answer outgrew its buffer");
    cmd_out(text);
}

void cmd_out_json(const struct json_out *o)
{
    out_json(o);
    cmd_out(view_str("\n"));
}

static void out_head(const struct cmd_rows *rows)
{
    cmd_out(view_str("{\""));
    cmd_out(view_str(rows->name));
    cmd_out(view_str("\":["));
}

void cmd_row(struct cmd_rows *rows, const struct json_out *o)
{
    if (rows->any)
        cmd_out(view_str(","));
    else
        out_head(rows);
    rows->any = true;
    out_json(o);
}

void cmd_rows_end(const struct cmd_rows *rows)
{
    if (!rows->any)
        out_head(rows);
    cmd_out(view_str("]}\n"));
}

void cmd_note(const char *text)
{
    put(PORT_STDERR, view_str(text));
}

void cmd_say(const char *first, ...)
{
    char line[1024];
    struct text t;
    va_list ap;
    TEXT_OF(&t, line);
    text_str(&t, "cmdop: ");
    va_start(ap, first);
    for (const char *s = first; s != NULL; s = va_arg(ap, const char *))
        text_safe(&t, view_str(s)); /* much of it was said by others */
    va_end(ap);
    if (t.len + 1 == t.cap)
        t.len--;
    text_str(&t, "\n");
    put(PORT_STDERR, text_done(&t));
}

void cmd_nap(uint64_t ms)
{
    struct port_want none = {.handle = -1};
    (void)port_wait(&none, 1, port_now_ms() + ms);
}

int cmd_usage(const struct cmd *cmd, const char *what, const char *value)
{
    cmd_say(what, value, NULL);
    cmd_say("`cmdop ", cmd->name, " --help` shows how it is used", NULL);
    return CMD_USAGE;
}

int cmd_words(const struct cmd *cmd, int argc, char **argv)
{
    size_t bytes = 0;
    for (int i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    if (argc <= ARGS_COUNT_MAX && bytes <= ARGS_MAX)
        return CMD_OK;
    return cmd_usage(cmd,
                     "a command has 512 words and 24 KiB at most; put it into "
                     "a file, or send it on standard input",
                     "");
}

int cmd_name(const struct cmd *cmd, const char *name)
{
    if (name == NULL ||
        (strlen(name) < NAME_CAP && !text_is_blank(view_str(name))))
        return CMD_OK;
    return cmd_usage(
        cmd, "a name has 1 to 63 bytes, not all of them blanks: ", name);
}

/* ---- options ------------------------------------------------------------------------ */

static const struct cmd_opt *find_opt(const struct cmd_opt *opts, size_t count,
                                      struct view word)
{
    for (size_t i = 0; i < count; i++)
        if (view_is(word, opts[i].name) ||
            (opts[i].brief != NULL && view_is(word, opts[i].brief)))
            return &opts[i];
    return NULL;
}

/* One option at argv[at]; returns how many words it took, 0 on a mistake. An
 * empty value is a variable that was not set. */
static int take(const struct cmd *cmd, char **argv, int at,
                const struct cmd_opt *opts, size_t count)
{
    struct view word = view_str(argv[at]);
    ptrdiff_t eq =
        view_starts(word, view_str("--")) ? view_find(word, '=') : -1;
    const struct cmd_opt *o =
        find_opt(opts, count, eq < 0 ? word : view_first(word, (size_t)eq));
    if (o == NULL && view_starts(word, view_str("--api-key"))) {
        cmd_say("there is no --api-key: API keys are for SDKs; people sign in "
                "with `cmdop login`",
                NULL); /* and the key is not repeated */
        return 0;
    }
    if (o == NULL) {
        cmd_usage(cmd, "there is no such option: ", argv[at]);
        return 0;
    }
    if (o->value == NULL) {
        if (eq >= 0) {
            cmd_usage(cmd, "this option takes no value: ", argv[at]);
            return 0;
        }
        *o->flag = true;
        return 1;
    }
    const char *value = eq >= 0 ? argv[at] + eq + 1 : argv[at + 1];
    if (value == NULL || value[0] == '\0') {
        cmd_usage(cmd, "this option needs a value: ", argv[at]);
        return 0;
    }
    *o->value = value;
    return eq >= 0 ? 1 : 2;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

int cmd_options(const struct cmd *cmd, int *argc, char **argv, int *rest,
                const struct cmd_opt *opts, size_t count)
{
    int kept = 1, at = 1;
    while (at < *argc && strcmp(argv[at], "--") != 0) {
        if (is_help(argv[at])) {
            cmd_out(view_str(cmd->help));
            return CMD_OK;
        }
        if (!is_option(argv[at])) {
            argv[kept++] = argv[at++];
            continue;
        }
        int n = take(cmd, argv, at, opts, count);
        if (n == 0)
            return CMD_USAGE;
        at += n;
    }
    *rest = kept;
    bool dashes = at < *argc;
    for (at += dashes; at < *argc; at++)
        argv[kept++] = argv[at];
    if (!dashes)
        *rest = kept;
    *argc = kept;
    argv[kept] = NULL;
    return -1;
}

/* ---- verbs ---------------------------------------------------------------------------- */

static void list_verbs(const struct cmd_env *env)
{
    char buf[4096];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, "usage: cmdop VERB [...]\n\n");
    for (const struct cmd *const *c = env->table; *c != NULL; c++) {
        size_t from = t.len;
        if ((*c)->summary == NULL)
            continue;
        text_join(&t, "  ", (*c)->name, NULL);
        text_pad(&t, from, 14);
        text_join(&t, (*c)->summary, "\n", NULL);
    }
    text_str(&t, "\n`cmdop VERB --help` tells more, for example\n"
                 "  cmdop connect exec web-1 -- uptime\n");
    cmd_out(text_done(&t));
}

static void print_version(const struct cmd_env *env)
{
    char buf[64];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "cmdop ", env->version, "\n", NULL);
    cmd_out(text_done(&t));
}

/* A verb of several words has to know --help in place of the second one, too. */
static int run_named(const struct cmd_env *env, int argc, char **argv)
{
    for (const struct cmd *const *c = env->table; *c != NULL; c++) {
        if (strcmp((*c)->name, argv[0]) != 0)
            continue;
        if (argc == 1 || !is_help(argv[1]) || (*c)->help == NULL)
            return (*c)->run(env, argc, argv);
        cmd_out(view_str((*c)->help));
        return CMD_OK;
    }
    cmd_say("there is no verb `", argv[0], "`; `cmdop help` lists them", NULL);
    return CMD_USAGE;
}

static int run_verb(const struct cmd_env *env, int argc, char **argv)
{
    static char ask[] = "--help";
    char *about[] = {argc > 2 ? argv[2] : NULL, ask, NULL};
    const char *verb = argc > 1 ? argv[1] : "help";
    if (strcmp(verb, "help") == 0 && argc > 2)
        return run_named(env, 2, about); /* as `VERB --help` */
    if (is_help(verb) || strcmp(verb, "help") == 0) {
        list_verbs(env);
        return argc > 1 ? CMD_OK : CMD_USAGE;
    }
    if (strcmp(verb, "version") == 0 || strcmp(verb, "--version") == 0) {
        print_version(env);
        return CMD_OK;
    }
    return run_named(env, argc - 1, argv + 1);
}

int cmd_main(const struct cmd_env *env, int argc, char **argv)
{
    int status = run_verb(env, argc, argv);
    return status == CMD_OK && out_is_lost ? CMD_FAILED : status;
}
