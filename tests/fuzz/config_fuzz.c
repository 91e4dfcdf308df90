/*
 * A server.yaml from anybody. What is taken has values that are one line and
 * fit, from lines that are there; what is not has a sentence with its line; and
 * whatever it is, the parser stays in the memory that it is given.
 */
#include "relay/config.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "fake/port_addr.h"
#include "fake/port_keep.h"
#include "relay/yamldoc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t lines_of(struct view text)
{
    uint32_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n' || text.ptr[i] == '\r' ||
             text.ptr[i] >= 0x80; /* U+0085, U+2028: line ends of YAML */
    return n;
}

static void check_values(const struct config *c, struct view text)
{
    for (int i = 0; i < CONFIG_KEYS; i++) {
        const struct config_value *v = &c->value[i];
        if (v->origin == CONFIG_UNSET)
            continue;
        assert(v->origin == CONFIG_FILE);
        assert(v->text[0] != '\0' && strchr(v->text, '\n') == NULL);
        assert(memchr(v->text, '\0', sizeof v->text) != NULL);
        assert(v->line >= 1 && v->line <= lines_of(text));
    }
}

static void check_nodes(struct view text)
{
    static uint8_t memory[YAMLDOC_MEMORY];
    static struct yamldoc_node nodes[64];
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    int n = yamldoc_read(text, SPAN_ARRAY(memory), nodes, 64, &why);
    assert((n >= 0) == (why.len == 0));
    for (int i = 0; i < n; i++) {
        assert(nodes[i].parent < i);
        assert(nodes[i].depth <= YAMLDOC_DEPTH_MAX);
        assert((nodes[i].depth == 0) == (nodes[i].parent == -1));
        if (nodes[i].parent >= 0)
            assert(nodes[nodes[i].parent].kind != YAMLDOC_SCALAR &&
                   nodes[nodes[i].parent].depth + 1 == nodes[i].depth);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config c;
    char buf[512];
    struct text why;
    struct view text = view_of(data, size);
    memset(&c, 0, sizeof c);
    TEXT_OF(&why, buf);
    int err = config_read(&c, text, &why);
    assert((err == OK) == (why.len == 0));
    assert(err == OK || strncmp(buf, "line ", 5) == 0);
    if (err == OK)
        check_values(&c, text);
    check_nodes(text);
    return 0;
}
