/* The desktop's keyring; see keyring.h. */
#include "core/keyring.h"

#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "port/port.h"

#define REAP_MS 5 /* between two looks for the child's end */

enum { IN, OUT, ERR, ROWS };

/* One run of the program. */
struct run {
    struct port_child child;
    struct port_want row[ROWS];
    struct view in; /* what is still to be written */
    struct span out;
    size_t out_len;
    bool too_big;
    char words[160]; /* its first complaint */
    size_t words_len;
    uint64_t until_ms;
};

/* ---- the three pipes ---------------------------------------------------- */

static void shut(struct run *r, int i)
{
    port_close(r->row[i].handle);
    r->row[i].handle = -1;
}

static void feed(struct run *r)
{
    int n = port_send(r->row[IN].handle, r->in);
    if (n > 0)
        r->in = view_from(r->in, (size_t)n);
    if (n < 0 || r->in.len == 0)
        shut(r, IN);
}

static void hear(struct run *r)
{
    uint8_t extra[64];
    struct span room = {r->out.ptr + r->out_len, r->out.len - r->out_len};
    bool full = room.len == 0;
    int n = port_recv(r->row[OUT].handle, full ? SPAN_ARRAY(extra) : room);
    if (n < 0)
        shut(r, OUT);
    else if (full)
        r->too_big = r->too_big || n > 0;
    else
        r->out_len += (size_t)n;
}

static void hear_complaint(struct run *r)
{
    uint8_t buf[256];
    int n = port_recv(r->row[ERR].handle, SPAN_ARRAY(buf));
    if (n < 0) {
        shut(r, ERR);
        return;
    }
    size_t room = sizeof(r->words) - 1 - r->words_len;
    struct view v = view_first(view_of(buf, (size_t)n), room);
    memcpy(r->words + r->words_len, v.ptr, v.len);
    r->words_len += v.len;
}

static void turn(struct run *r)
{
    if (port_wait(r->row, ROWS, r->until_ms) <= 0)
        return;
    if (r->row[IN].handle >= 0 && r->row[IN].ready != 0)
        feed(r);
    if (r->row[OUT].handle >= 0 && r->row[OUT].ready != 0)
        hear(r);
    if (r->row[ERR].handle >= 0 && r->row[ERR].ready != 0)
        hear_complaint(r);
}

static bool in_time(const struct run *r)
{
    return port_now_ms() < r->until_ms;
}

/* ---- the program -------------------------------------------------------- */

static void nap(void)
{
    struct port_want none = {.handle = -1};
    (void)port_wait(&none, 1, port_now_ms() + REAP_MS);
}

/* The child's exit status, or ERR_TIMEOUT with the child told to end. */
static int bury(struct run *r)
{
    int status, signal, pid;
    while (in_time(r)) {
        while ((pid = port_child_reap(&status, &signal)) != 0)
            if (pid == r->child.pid)
                return status;
        nap();
    }
    (void)port_child_signal(r->child.pid, "KILL");
    return ERR_TIMEOUT;
}

static int start(struct run *r, const char *const *argv)
{
    char bus[512];
    struct port_spawn what = {.argv = argv, .cwd = "/"};
    if (!port_env("DBUS_SESSION_BUS_ADDRESS", bus, sizeof(bus)) ||
        bus[0] == '\0')
        return ERR_UNSUPPORTED;
    int err = port_pipe_spawn(&what, &r->child);
    if (err == ERR_NOT_FOUND)
        return ERR_UNSUPPORTED;
    if (err != OK)
        return err;
    r->row[IN] = (struct port_want){.handle = r->child.in, .want = PORT_WRITE};
    r->row[OUT] = (struct port_want){.handle = r->child.out, .want = PORT_READ};
    r->row[ERR] = (struct port_want){.handle = r->child.err, .want = PORT_READ};
    return OK;
}

/* An exit status, or an error. */
static int talk(struct run *r, const char *const *argv)
{
    r->until_ms = port_now_ms() + KEYRING_MS;
    int err = start(r, argv);
    if (err != OK)
        return err;
    if (r->in.len == 0)
        shut(r, IN);
    while ((r->row[OUT].handle >= 0 || r->row[ERR].handle >= 0) && in_time(r))
        turn(r);
    for (int i = 0; i < ROWS; i++)
        if (r->row[i].handle >= 0)
            shut(r, i);
    return bury(r);
}

/* ---- what it means ------------------------------------------------------ */

static void say_words(const struct run *r, struct text *why)
{
    struct view v = view_of(r->words, r->words_len);
    ptrdiff_t end = view_find(v, '\n');
    text_safe(why, end < 0 ? v : view_first(v, (size_t)end));
}

static int explain(const struct run *r, int err, struct text *why)
{
    if (err == ERR_UNSUPPORTED) {
        text_str(why, "there is no desktop keyring here (no session bus, or "
                      "no secret-tool)");
    } else if (err == ERR_TIMEOUT) {
        text_str(why, "the desktop keyring gave no answer; is it locked?");
    } else if (err < 0) {
        text_join(why, "secret-tool cannot be run: ", port_why(), NULL);
    } else {
        text_str(why, "the desktop keyring refused");
        text_str(why, r->words_len > 0 ? ": " : "");
        say_words(r, why);
        return ERR_IO;
    }
    return err;
}

int keyring_get(const char *folder, struct span out, struct text *why)
{
    const char *argv[] = {"secret-tool", "lookup", "service", "cmdop",
                          "folder",      folder,   NULL};
    struct run r = {.out = out};
    int status = talk(&r, argv);
    while (r.out_len > 0 && out.ptr[r.out_len - 1] == '\n')
        r.out_len--;
    if (status == 0 && r.too_big) {
        text_str(why, "the item in the desktop keyring is none of ours");
        return ERR_TOO_BIG;
    }
    if (status == 0 && r.out_len > 0)
        return (int)r.out_len;
    /* It says nothing when it finds nothing. */
    if (status == 0 || (status > 0 && r.words_len == 0))
        return ERR_NOT_FOUND;
    return explain(&r, status, why);
}

int keyring_put(const char *folder, struct view secret, struct text *why)
{
    const char *argv[] = {
        "secret-tool", "store", "--label=cmdop: key of the sign-ins",
        "service",     "cmdop", "folder",
        folder,        NULL};
    uint8_t out[64];
    struct run r = {.in = secret, .out = SPAN_ARRAY(out)};
    int status = talk(&r, argv);
    return status == 0 ? OK : explain(&r, status, why);
}

int keyring_remove(const char *folder, struct text *why)
{
    const char *argv[] = {"secret-tool", "clear", "service", "cmdop",
                          "folder",      folder,  NULL};
    uint8_t out[64];
    struct run r = {.out = SPAN_ARRAY(out)};
    int status = talk(&r, argv);
    if (status == 0 || (status > 0 && r.words_len == 0))
        return OK;
    return explain(&r, status, why);
}
