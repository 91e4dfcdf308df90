/* Keys that are for us; see escape.h. */
#include "cli/escape.h"

#define CTRL_D 0x04

void escape_init(struct escape *e)
{
    *e = (struct escape){.line_start = true};
}

static enum escape_event meaning(uint8_t key)
{
    switch (key) {
    case '.': return ESCAPE_DETACH;
    case 't': return ESCAPE_TAKE;
    case 'r': return ESCAPE_GIVE;
    case '?': return ESCAPE_HELP;
    default: return ESCAPE_NONE;
    }
}

static enum escape_event second(struct escape *e, uint8_t key,
                                struct writer *out)
{
    e->tilde = false;
    enum escape_event event = meaning(key);
    if (event != ESCAPE_NONE) {
        e->line_start = true;
        return event;
    }
    write_u8(out, '~');
    if (key != '~')
        write_u8(out, key);
    e->line_start = key == '\r' || key == '\n';
    return ESCAPE_NONE;
}

static enum escape_event one(struct escape *e, uint8_t key, struct writer *out)
{
    if (key == CTRL_D)
        return ESCAPE_DETACH;
    if (e->tilde)
        return second(e, key, out);
    if (key == '~' && e->line_start) {
        e->tilde = true;
        return ESCAPE_NONE;
    }
    e->line_start = key == '\r' || key == '\n';
    write_u8(out, key);
    return ESCAPE_NONE;
}

enum escape_event escape_feed(struct escape *e, struct view *in,
                              struct writer *out)
{
    while (in->len > 0) {
        uint8_t key = in->ptr[0];
        *in = view_from(*in, 1);
        enum escape_event event = one(e, key, out);
        if (event != ESCAPE_NONE)
            return event;
    }
    return ESCAPE_NONE;
}
