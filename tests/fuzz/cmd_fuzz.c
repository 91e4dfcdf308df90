/*
 * A command line that anybody typed: words, each up to its zero. What is left
 * over are the words that are no option, in their order, the values are those
 * that were given last, and nothing behind `--` is touched.
 */
#include "core/cmd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fake/port_fatal.h"
#include "port/port.h"

#define WORDS_MAX 64

static size_t complaints;

/* Nothing is shown, but that something was. */
int port_send(int handle, struct view v)
{
    complaints += handle == PORT_STDERR && v.len > 0;
    return (int)v.len;
}

int port_wait(struct port_want *want, size_t count, uint64_t until_ms)
{
    (void)want;
    (void)count;
    (void)until_ms;
    abort(); /* all was sent */
}

void port_exit(int status)
{
    (void)status;
    abort();
}

static const struct cmd cmd = {.name = "try", .help = "usage\n"};

struct model {
    const char *kept[WORDS_MAX + 1];
    int count, rest;
    bool json;
    const char *timeout;
    bool wrong, help;
};

/* One word at a time, with no list moved about. */
static void model(struct model *m, int argc, char *const *argv)
{
    m->kept[m->count++] = argv[0];
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        if (strcmp(w, "--") == 0) {
            m->rest = m->count;
            while (++i < argc)
                m->kept[m->count++] = argv[i];
            return;
        }
        if (strcmp(w, "--help") == 0 || strcmp(w, "-h") == 0) {
            m->help = true;
            return;
        }
        bool separate = strcmp(w, "--timeout") == 0 || strcmp(w, "-t") == 0;
        if (w[0] != '-' || w[1] == '\0') {
            m->kept[m->count++] = w;
        } else if (strcmp(w, "--json") == 0) {
            m->json = true;
        } else if (strncmp(w, "--timeout=", 10) == 0 && w[10] != '\0') {
            m->timeout = w + 10;
        } else if (separate && i + 1 < argc && argv[i + 1][0] != '\0') {
            m->timeout = argv[++i];
        } else {
            m->wrong = true;
            return;
        }
    }
    m->rest = m->count;
}

static void check(int argc, char **argv)
{
    struct model m = {.count = 0};
    bool json = false;
    const char *timeout = NULL;
    int rest = -1;
    const struct cmd_opt opts[] = {{"--json", NULL, &json, NULL},
                                   {"--timeout", "-t", NULL, &timeout}};
    model(&m, argc, argv);
    complaints = 0;
    int status = cmd_options(&cmd, &argc, argv, &rest, opts, 2);
    if (m.wrong || m.help) {
        assert(status == (m.help ? CMD_OK : CMD_USAGE));
        assert((complaints > 0) == m.wrong);
        return;
    }
    assert(status == -1 && complaints == 0);
    assert(argc == m.count && rest == m.rest && argv[argc] == NULL);
    for (int i = 0; i < argc; i++)
        assert(argv[i] == m.kept[i]);
    assert(json == m.json && timeout == m.timeout);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char **argv = malloc((WORDS_MAX + 1) * sizeof *argv);
    int argc = 0;
    assert(text != NULL && argv != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    argv[argc++] = text;
    for (size_t i = 0; i < size && argc < WORDS_MAX; i++)
        if (text[i] == '\0')
            argv[argc++] = text + i + 1;
    argv[argc] = NULL;
    check(argc, argv);
    free(argv);
    free(text);
    return 0;
}
