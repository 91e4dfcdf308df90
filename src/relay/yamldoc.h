/*
 * YAML as a configuration needs it: maps, lists and scalars in one document.
 * libyaml reads it, inside a block of memory that is given; what makes YAML
 * surprising is refused: anchors and aliases (one line that becomes a million),
 * tags, directives, several documents, keys that are no scalars, and one key
 * twice in a map. What keys mean is left to the caller.
 *
 * The result is a table in the order of the text, parents before children:
 *
 *     name: box          {depth 0, key "name", value "box", line 1}
 *     tls:               {depth 0, key "tls", map, line 2}
 *       key: k.pem       {depth 1, key "key", value "k.pem", parent 1, line 3}
 */
#ifndef RELAY_YAMLDOC_H
#define RELAY_YAMLDOC_H

#include "base/text.h"

#define YAMLDOC_TEXT_MAX  (16 * 1024)
#define YAMLDOC_DEPTH_MAX 6
/* The parser's own buffers are 80 KiB; the rest is for what it reads. */
#define YAMLDOC_MEMORY    (192 * 1024)

enum yamldoc_kind { YAMLDOC_SCALAR, YAMLDOC_MAP, YAMLDOC_LIST };

struct yamldoc_node {
    enum yamldoc_kind kind;
    bool plain;        /* a scalar without quotes */
    unsigned depth;    /* 0: in the document's own map */
    int parent;        /* index; -1 at depth 0 */
    uint32_t line;     /* from 1 */
    struct view key;   /* empty in a list */
    struct view value; /* of a scalar; UTF-8, no control characters but tab
                           and line feed */
};

/*
 * Read a document whose top is a map; an empty one has no nodes.
 * memory  YAMLDOC_MEMORY bytes; views point into it
 * why     an empty text; gets a sentence that begins with "line N: "
 * Returns the number of nodes; ERR_PROTO; ERR_TOO_BIG when the text, its depth
 * or its nodes are more than the bounds, or more than fit the memory.
 */
int yamldoc_read(struct view text, struct span memory,
                 struct yamldoc_node *nodes, size_t max, struct text *why);

#endif
