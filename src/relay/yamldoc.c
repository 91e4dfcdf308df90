/*
 * YAML through libyaml's events; see yamldoc.h. libyaml asks for memory by
 * names of ours (tools/deps.d/yaml), which lead into one allocator at a time.
 */
#include "relay/yamldoc.h"

#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "transport/alloc.h"

/* ---- libyaml's memory ---------------------------------------------------------- */

static struct alloc *heap; /* of the reading that is under way */

void *yaml_block_get(size_t size);
void *yaml_block_resize(void *ptr, size_t size);
void yaml_block_put(void *ptr);
char *yaml_block_copy(const char *str);

void *yaml_block_get(size_t size)
{
    return alloc_get(heap, size);
}

void *yaml_block_resize(void *ptr, size_t size)
{
    return alloc_resize(heap, ptr, size);
}

void yaml_block_put(void *ptr)
{
    alloc_put(heap, ptr);
}

char *yaml_block_copy(const char *str)
{
    size_t size = strlen(str) + 1;
    char *copy = alloc_get(heap, size);
    if (copy != NULL)
        memcpy(copy, str, size);
    return copy;
}

/* ---- one reading ---------------------------------------------------------------- */

/* A map or list that is open: its node, and the key that waits for a value. */
struct level {
    int node; /* -1: the document's own map */
    bool is_map;
    bool has_key;
    struct view key;
    uint32_t key_line;
};

struct reading {
    yaml_parser_t parser;
    yaml_event_t event;
    struct writer texts; /* keys and values */
    struct yamldoc_node *nodes;
    size_t count, max;
    struct level level[YAMLDOC_DEPTH_MAX + 1];
    unsigned levels; /* open ones; 0: before or behind the top */
    bool seen;       /* a document */
    bool done;
    struct text *why;
};

static int fail_at(struct reading *r, int err, size_t line, const char *what,
                   struct view about)
{
    text_str(r->why, "line ");
    text_u64(r->why, line);
    text_join(r->why, ": ", what, NULL);
    text_safe(r->why, about);
    return err;
}

static uint32_t line_of(const struct reading *r)
{
    return (uint32_t)r->event.start_mark.line + 1;
}

static int fail(struct reading *r, int err, const char *what)
{
    return fail_at(r, err, line_of(r), what, VIEW_NONE);
}

static int keep(struct reading *r, const yaml_event_t *e, struct view *out)
{
    struct view v = view_of(e->data.scalar.value, e->data.scalar.length);
    size_t from = r->texts.len;
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] == 0x7f ||
            (v.ptr[i] < ' ' && v.ptr[i] != '\t' && v.ptr[i] != '\n'))
            return fail(r, ERR_PROTO, "a control character in a text");
    write_bytes(&r->texts, v);
    if (r->texts.err != OK)
        return fail(r, ERR_TOO_BIG, "the texts are too long");
    *out = view_from(writer_view(&r->texts), from);
    return OK;
}

/* ---- keys and nodes ------------------------------------------------------------- */

static int take_key(struct reading *r, struct level *in, struct view key)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct yamldoc_node *n = &r->nodes[i];
        if (n->parent != in->node || !view_eq(n->key, key))
            continue;
        text_str(r->why, "line ");
        text_u64(r->why, line_of(r));
        text_str(r->why, ": the key ");
        text_safe(r->why, key);
        text_str(r->why, " stands in line ");
        text_u64(r->why, n->line);
        text_str(r->why, " already");
        return ERR_PROTO;
    }
    if (key.len == 0)
        return fail(r, ERR_PROTO, "an empty key");
    in->key = key;
    in->has_key = true;
    in->key_line = line_of(r);
    return OK;
}

/* A new node inside the innermost level, which has its key; NULL when full. */
static struct yamldoc_node *add(struct reading *r, enum yamldoc_kind kind)
{
    struct level *in = &r->level[r->levels - 1];
    if (r->count == r->max)
        return NULL;
    struct yamldoc_node *n = &r->nodes[r->count++];
    *n = (struct yamldoc_node){.kind = kind,
                               .depth = r->levels - 1,
                               .parent = in->node,
                               .line = in->is_map ? in->key_line : line_of(r),
                               .key = in->is_map ? in->key : VIEW_NONE};
    in->has_key = false;
    return n;
}

static int too_many(struct reading *r)
{
    return fail(r, ERR_TOO_BIG, "there are more entries than anybody needs");
}

static int on_scalar(struct reading *r)
{
    const yaml_event_t *e = &r->event;
    struct view text;
    if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL)
        return fail(r, ERR_PROTO, "anchors (&) and tags (!) are not taken");
    if (r->levels == 0) {
        bool empty = e->data.scalar.length == 0 &&
                     e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return empty ? OK : fail(r, ERR_PROTO, "\"key: value\" is expected");
    }
    struct level *in = &r->level[r->levels - 1];
    int err = keep(r, e, &text);
    if (err != OK)
        return err;
    if (in->is_map && !in->has_key)
        return take_key(r, in, text);
    struct yamldoc_node *n = add(r, YAMLDOC_SCALAR);
    if (n == NULL)
        return too_many(r);
    n->value = text;
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return OK;
}

static int on_open(struct reading *r, bool is_map, bool plain)
{
    int node = -1;
    if (!plain)
        return fail(r, ERR_PROTO, "anchors (&) and tags (!) are not taken");
    if (r->levels == 0 && !is_map)
        return fail(r, ERR_PROTO, "\"key: value\" is expected, not a list");
    if (r->levels > YAMLDOC_DEPTH_MAX)
        return fail(r, ERR_TOO_BIG, "this is nested too deeply");
    if (r->levels > 0) {
        const struct level *in = &r->level[r->levels - 1];
        if (in->is_map && !in->has_key)
            return fail(r, ERR_PROTO, "a key must be a text");
        if (add(r, is_map ? YAMLDOC_MAP : YAMLDOC_LIST) == NULL)
            return too_many(r);
        node = (int)r->count - 1;
    }
    r->level[r->levels++] = (struct level){.node = node, .is_map = is_map};
    return OK;
}

static int on_document(struct reading *r)
{
    const yaml_event_t *e = &r->event;
    if (r->seen)
        return fail(r, ERR_PROTO, "a second document (---) is not taken");
    r->seen = true;
    if (e->data.document_start.version_directive != NULL ||
        e->data.document_start.tag_directives.start !=
            e->data.document_start.tag_directives.end)
        return fail(r, ERR_PROTO, "directives (%) are not taken");
    return OK;
}

static int on_event(struct reading *r)
{
    const yaml_event_t *e = &r->event;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT: return on_document(r);
    case YAML_ALIAS_EVENT:
        return fail(r, ERR_PROTO, "aliases (*) are not taken");
    case YAML_SCALAR_EVENT: return on_scalar(r);
    case YAML_MAPPING_START_EVENT:
        return on_open(r, true,
                       e->data.mapping_start.anchor == NULL &&
                           e->data.mapping_start.tag == NULL);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(r, false,
                       e->data.sequence_start.anchor == NULL &&
                           e->data.sequence_start.tag == NULL);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: r->levels--; return OK;
    case YAML_STREAM_END_EVENT: r->done = true; return OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return OK;
}

static int parser_error(struct reading *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return fail_at(r, ERR_TOO_BIG, p->mark.line + 1,
                       "the document needs more memory than is given to one",
                       VIEW_NONE);
    if (p->error == YAML_READER_ERROR)
        return fail_at(r, ERR_PROTO, p->mark.line + 1,
                       "not UTF-8, or a control character", VIEW_NONE);
    const char *what = p->problem != NULL ? p->problem : "not YAML";
    /* As in [::]:443, which looks like a list. */
    bool brackets = strstr(what, "did not find expected") != NULL;
    return fail_at(r, ERR_PROTO, p->problem_mark.line + 1,
                   brackets ? "a value that begins with a bracket needs "
                              "quotes; else: "
                            : "",
                   view_str(what));
}

static int read_events(struct reading *r)
{
    int err = OK;
    while (err == OK && !r->done) {
        if (yaml_parser_parse(&r->parser, &r->event) == 0)
            return parser_error(r);
        err = on_event(r);
        yaml_event_delete(&r->event);
    }
    return err;
}

int yamldoc_read(struct view text, struct span memory,
                 struct yamldoc_node *nodes, size_t max, struct text *why)
{
    size_t texts = 2 * YAMLDOC_TEXT_MAX; /* "\L", say, becomes three bytes */
    struct reading r = {.nodes = nodes, .max = max, .why = why};
    struct alloc block;
    if (text.len > YAMLDOC_TEXT_MAX) {
        text_str(why, "line 1: the file is larger than 16 KiB");
        return ERR_TOO_BIG;
    }
    writer_init(&r.texts, (struct span){memory.ptr, texts});
    alloc_init(&block, (struct span){memory.ptr + texts, memory.len - texts});
    heap = &block;
    if (yaml_parser_initialize(&r.parser) == 0) {
        heap = NULL;
        return ERR_TOO_BIG;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text.ptr, text.len);
    int err = read_events(&r);
    yaml_parser_delete(&r.parser);
    heap = NULL;
    return err == OK ? (int)r.count : err;
}
