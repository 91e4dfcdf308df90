/* See crew.h. */
#include "sim/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "limits.h"
#include "sim/screen.h"
#include "sim/town.h"

static const char LETTERS[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/* So that all fits what the world keeps of a screen. */
#define CREW_ASKS_MAX(kind) ((kind) == 1 ? 2U : 32U)
/* What was said and is not in the ring yet: in terminal and buffer. */
#define HELD_BEFORE         (128 * 1024)
_Static_assert(CREW_MAX *CREW_LETTERS < sizeof(LETTERS), "letters for all");

bool crew_wrong(struct crew *c, const char *format, ...)
{
    va_list args;
    if (c->why[0] != '\0')
        return false;
    va_start(args, format);
    vsnprintf(c->why, sizeof(c->why), format, args);
    va_end(args);
    for (char *at = c->why; (at = strchr(at, '\n')) != NULL;)
        *at = ' '; /* it is told in one line */
    return false;
}

static int number(const struct crew *c, const struct mate *o)
{
    return (int)(o - c->op);
}

/* ---- coming ------------------------------------------------------------------------- */

static struct mate *seat(struct crew *c, const char *line, bool observes)
{
    struct sim_start how = {.tty = true, .open_stdin = true};
    struct mate *o = &c->op[c->count];
    if (c->count > 0 && sim_roll(8) == 0)
        how.out_rate = 30000 + sim_roll(200000);
    town.desk_host = c->desk[c->count++ % CREW_DESKS];
    *o = (struct mate){.observes = observes, .said_at = sim_said().len};
    o->tool = town_tool(line, &how);
    return o;
}

void crew_begin(struct crew *c)
{
    *c = (struct crew){.count = 0};
    c->desk[0] = town.desk_host;
    c->desk[1] = sim_host("desk2");
    c->desk[2] = sim_host("desk3");
    int tool = seat(c, "connect web-1", false)->tool;
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_type(tool, view_str("hear\r"));
    assert_true(sim_wait_out(tool, "hear\r\n", 5000));
}

/* The session's id, from the words its keeper was started with. */
static const char *session_id(void)
{
    static const char words[] = "--folder /sim/machine/sessions --id ";
    for (int i = 0; i < sim_roles(); i++) {
        const char *at = strstr(sim_line(i), words);
        if (at != NULL && sim_alive(i))
            return at + strlen(words);
    }
    return "";
}

/* By its id, or as the one that is there. */
void crew_come(struct crew *c, bool observes, bool by_id)
{
    char line[120];
    assert_true(c->count < CREW_MAX);
    snprintf(line, sizeof(line), "connect %s%s%.32s web-1",
             observes ? "--observe " : "", by_id ? "--session " : "",
             by_id ? session_id() : "");
    (void)seat(c, line, observes);
}

int crew_there(const struct crew *c)
{
    int n = 0;
    for (int i = 0; i < c->count; i++)
        n += c->op[i].state == CREW_THERE;
    return n;
}

static struct mate *pick(struct crew *c, bool typists)
{
    struct mate *able[CREW_MAX];
    uint32_t n = 0;
    for (int i = 0; i < c->count; i++)
        if (c->op[i].state == CREW_THERE && !(typists && c->op[i].observes))
            able[n++] = &c->op[i];
    return n == 0 ? NULL : able[sim_roll(n)];
}

struct mate *crew_any(struct crew *c)
{
    return pick(c, false);
}

struct mate *crew_typist(struct crew *c)
{
    return pick(c, true);
}

/* ---- typing --------------------------------------------------------------------------- */

void crew_type(struct crew *c, struct mate *o, uint32_t keys)
{
    const char *mine = LETTERS + number(c, o) * CREW_LETTERS;
    if (o->typed_len + keys > CREW_KEYS_MAX)
        return;
    char *from = o->typed + o->typed_len;
    for (uint32_t i = 0; i < keys; i++)
        from[i] = mine[sim_roll(CREW_LETTERS)];
    o->typed_len += keys;
    sim_type(o->tool, view_of(from, keys));
}

void crew_ask(struct crew *c, struct mate *o, char key)
{
    unsigned kind = key == '%' ? 1 : 0;
    if (c->asks[kind]++ >= CREW_ASKS_MAX(kind))
        return;
    c->asked++;
    sim_type(o->tool, view_of(&key, 1));
}

char crew_type_one(struct crew *c, struct mate *o)
{
    crew_type(c, o, 1);
    return o->typed[o->typed_len - 1];
}

/* ---- what was applied ------------------------------------------------------------------- */

static bool check_key(struct crew *c, char key)
{
    const char *at = strchr(LETTERS, key);
    if (key == '+' || key == '%')
        return ++c->told <= c->asked || crew_wrong(c, "asked twice: %c", key);
    int i = at == NULL || key == '\0' ? CREW_MAX : (int)(at - LETTERS) / 5;
    if (i >= c->count)
        return crew_wrong(c, "nobody typed byte %d", key);
    struct mate *o = &c->op[i];
    if (o->applied == o->typed_len || o->typed[o->applied] != key)
        return crew_wrong(c, "key %zu of operator %d is not what was typed: %c",
                          o->applied, i, key);
    o->applied++;
    return true;
}

static bool check_heard(struct crew *c)
{
    struct view v = sim_heard();
    for (; c->heard < v.len; c->heard++)
        if (!check_key(c, (char)v.ptr[c->heard]))
            return false;
    return true;
}

/* ---- what was shown ------------------------------------------------------------------------ */

static void note_last(struct mate *o, struct view v)
{
    size_t n = v.len < CREW_LAST ? v.len : CREW_LAST;
    memmove(o->last, o->last + n, CREW_LAST - n);
    memcpy(o->last + CREW_LAST - n, v.ptr + v.len - n, n);
}

/* How much of the session a screen has, and what is looked at for it. */
static bool look(struct mate *o)
{
    struct screen s;
    enum screen_piece piece;
    struct view all = sim_out(o->tool);
    if (o->seen == 0 && !screen_init(&s, all))
        return false;
    if (o->seen > 0)
        s = (struct screen){.left = view_from(all, o->seen)};
    while ((piece = screen_next(&s)) != SCREEN_END) {
        if (piece == SCREEN_BYTES)
            note_last(o, s.bytes);
        o->shown += piece == SCREEN_BYTES ? s.bytes.len : 0;
        o->gaps += piece == SCREEN_GAP ? s.gap : 0;
        o->shown += piece == SCREEN_GAP ? s.gap : 0;
    }
    o->seen = all.len - s.left.len;
    o->tail = screen_tail(&s);
    return true;
}

/* A few bytes in print. */
static void print(char *out, size_t cap, struct view v)
{
    size_t len = 0;
    out[0] = '\0';
    v = view_first(v, 60);
    for (size_t i = 0; i < v.len && len + 5 < cap; i++)
        len += (size_t)snprintf(
            out + len, cap - len,
            v.ptr[i] >= ' ' && v.ptr[i] < 127 ? "%c" : "\\x%02x", v.ptr[i]);
}

/* Does the screen show what was said from `start` on? If not, *bad is left of
 * it. */
static bool shows(const struct mate *o, uint64_t start, uint64_t *upto,
                  struct view *bad)
{
    struct screen s;
    enum screen_piece piece;
    struct view said = sim_said();
    (void)screen_init(&s, sim_out(o->tool));
    *upto = start;
    while ((piece = screen_next(&s)) != SCREEN_END) {
        if (piece == SCREEN_GAP)
            *upto += s.gap;
        if (piece != SCREEN_BYTES)
            continue;
        if (*upto + s.bytes.len > said.len ||
            memcmp(said.ptr + *upto, s.bytes.ptr, s.bytes.len) != 0) {
            *bad = view_of(s.bytes.ptr, s.bytes.len + s.left.len);
            return false;
        }
        *upto += s.bytes.len;
    }
    if (*upto + screen_tail(&s) == said.len)
        *upto = said.len;
    return true;
}

/* What stands first on its screen, up to the tool's words. */
static struct view first_bytes(const struct mate *o)
{
    struct screen s;
    (void)screen_init(&s, sim_out(o->tool));
    return screen_next(&s) == SCREEN_BYTES ? s.bytes : VIEW_NONE;
}

/* Where its copy began: with all that the ring held when it came. */
static bool find_start(const struct mate *o, uint64_t *upto)
{
    struct view said = sim_said(), head = first_bytes(o), bad;
    uint64_t held = SESSION_RING + HELD_BEFORE;
    uint64_t first = o->said_at > held ? o->said_at - held : 0;
    uint64_t last = said.len > SESSION_RING ? said.len - SESSION_RING : 0;
    if (o->state == CREW_THERE && o->shown + o->tail <= said.len) {
        first = said.len - o->shown - o->tail; /* it has all that follows */
        last = first < last ? first : last;
    }
    for (uint64_t start = first; start <= last; start++)
        if (head.len <= said.len - start &&
            (head.len == 0 ||
             memcmp(said.ptr + start, head.ptr, head.len) == 0) &&
            shows(o, start, upto, &bad))
            return true;
    return false;
}

static bool check_screen(struct crew *c, struct mate *o)
{
    uint64_t upto = 0;
    struct view bad = VIEW_NONE;
    char said[200], seen[200];
    if (!look(o)) /* it never was attached */
        return true;
    if (!find_start(o, &upto)) {
        (void)shows(o, 0, &upto, &bad);
        print(said, sizeof(said), view_from(sim_said(), (size_t)upto));
        print(seen, sizeof(seen), bad);
        return crew_wrong(c, "operator %d sees \"%s\" at %llu, not \"%s\"",
                          number(c, o), seen, (unsigned long long)upto, said);
    }
    if (o->gaps > 0 && sim_said().len <= SESSION_RING)
        return crew_wrong(c, "operator %d misses what was held", number(c, o));
    if (o->state == CREW_THERE && upto != sim_said().len)
        return crew_wrong(c, "operator %d sees %llu of %zu", number(c, o),
                          (unsigned long long)upto, sim_said().len);
    return true;
}

bool crew_screens(struct crew *c)
{
    for (int i = 0; i < c->count; i++)
        if (!check_screen(c, &c->op[i]))
            return false;
    return true;
}

/* ---- all of them -------------------------------------------------------------------------- */

static bool check_end(struct crew *c, struct mate *o)
{
    struct view err = sim_err(o->tool);
    if (o->state != CREW_THERE || sim_alive(o->tool))
        return true;
    o->state = CREW_LEFT;
    if (o->may_end || sim_struck(o->tool))
        return true;
    if (!look(o))
        o->state = CREW_TURNED;
    return o->state == CREW_TURNED ||
           crew_wrong(c, "operator %d left with %d: %.*s", number(c, o),
                      sim_status(o->tool), (int)err.len, (const char *)err.ptr);
}

bool crew_check(struct crew *c)
{
    for (int i = 0; i < c->count; i++)
        if (!check_end(c, &c->op[i]))
            return false;
    if (sim_trouble()[0] != '\0')
        return crew_wrong(c, "%s", sim_trouble());
    return check_heard(c);
}

/* Who came when the ring had dropped something began somewhere behind 0: only
 * the end of it tells. */
static bool sees_all(struct mate *o)
{
    struct view said = sim_said();
    if (!look(o))
        return false;
    if (o->shown + o->tail == said.len)
        return true;
    return said.len > SESSION_RING && o->said_at > 0 && o->tail == 0 &&
           memcmp(o->last, said.ptr + said.len - CREW_LAST, CREW_LAST) == 0;
}

bool crew_has_all(struct mate *o)
{
    return o->applied == o->typed_len && sees_all(o);
}

bool crew_is_settled(struct crew *c)
{
    if (!crew_check(c))
        return true; /* it does not get better */
    for (int i = 0; i < c->count; i++) {
        struct mate *o = &c->op[i];
        if (o->state == CREW_THERE && !crew_has_all(o))
            return false;
    }
    return true;
}
