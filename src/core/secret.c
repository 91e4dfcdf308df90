/* Passwords on their way in; see secret.h. */
#include "core/secret.h"

#include <string.h>

#include "base/err.h"
#include "core/cmd.h"
#include "crypto/ct.h"
#include "port/port.h"

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };

void secret_wipe(struct secret *s)
{
    ct_wipe((struct span){(uint8_t *)s, sizeof(*s)});
}

/* ---- typed ----------------------------------------------------------------------- */

static void append(struct secret *s, uint8_t c)
{
    if (s->len == sizeof(s->bytes))
        s->too_long = true;
    else
        s->bytes[s->len++] = c;
}

/* One character back: in UTF-8 it ends at a byte that begins one. */
static void take_back(struct secret *s)
{
    while (s->len > 0 && (s->bytes[--s->len] & 0xC0) == 0x80)
        continue;
    s->too_long = false;
}

enum secret_event secret_feed(struct secret *s, struct view *in)
{
    while (in->len > 0) {
        uint8_t c = in->ptr[0];
        *in = view_from(*in, 1);
        if (c == '\r' || c == '\n')
            return SECRET_DONE;
        if (c == CTRL_C || (c == CTRL_D && s->len == 0))
            return SECRET_GIVE_UP;
        if (c == BACKSPACE || c == DELETE)
            take_back(s);
        else if (c == CTRL_U)
            secret_wipe(s);
        else if (c >= ' ')
            append(s, c);
    }
    return SECRET_MORE;
}

/* Bytes of standard input, when there are some; below 0 at its end. */
static int read_keys(struct span buf)
{
    struct port_want want = {.handle = PORT_STDIN, .want = PORT_READ};
    int n = port_recv(PORT_STDIN, buf);
    if (n == 0)
        (void)port_wait(&want, 1, PORT_FOREVER);
    return n;
}

static int read_line(struct secret *out)
{
    enum secret_event event = SECRET_MORE;
    uint8_t key;
    while (event == SECRET_MORE) {
        int n = read_keys((struct span){&key, 1});
        struct view in = view_of(&key, n > 0 ? 1 : 0);
        event = n < 0 ? SECRET_GIVE_UP : secret_feed(out, &in);
    }
    ct_wipe((struct span){&key, 1});
    return event == SECRET_DONE ? OK : ERR_CLOSED;
}

int secret_ask(const char *prompt, struct secret *out)
{
    memset(out, 0, sizeof(*out));
    if (!port_is_tty(PORT_STDIN) || port_handle_nonblock(PORT_STDIN) != OK ||
        port_term_raw(PORT_STDIN) != OK)
        return ERR_UNSUPPORTED;
    cmd_note(prompt);
    int err = read_line(out);
    port_term_restore();
    cmd_note("\n");
    return err == OK && out->too_long ? ERR_TOO_BIG : err;
}

/* ---- not typed --------------------------------------------------------------------- */

int secret_from_stdin(struct secret *out)
{
    uint8_t c;
    int n = 0;
    memset(out, 0, sizeof(*out));
    (void)port_handle_nonblock(PORT_STDIN);
    while (n >= 0) {
        n = read_keys((struct span){&c, 1});
        if (n > 0 && c == '\n')
            break;
        if (n > 0)
            append(out, c);
    }
    return out->too_long ? ERR_TOO_BIG : OK;
}

static int copy(struct view v, struct secret *out)
{
    memset(out, 0, sizeof(*out));
    while (v.len > 0 && (v.ptr[v.len - 1] == '\n' || v.ptr[v.len - 1] == '\r'))
        v.len--;
    if (v.len > sizeof(out->bytes))
        return ERR_TOO_BIG;
    memcpy(out->bytes, v.ptr, v.len);
    out->len = v.len;
    return OK;
}

int secret_from_file(const char *path, struct secret *out, struct text *why)
{
    uint8_t raw[SECRET_MAX + 3];
    int n = port_keep_read(path, true, SPAN_ARRAY(raw));
    int err = n < 0 ? n : copy(view_of(raw, (size_t)n), out);
    ct_wipe(SPAN_ARRAY(raw));
    if (err == ERR_TOO_BIG)
        text_join(why, path, " holds more than a password of 128 bytes", NULL);
    else if (err != OK)
        text_join(why, "cannot read the password: ", port_why(), NULL);
    return err;
}

int secret_from_env(const char *name, struct secret *out)
{
    char value[SECRET_MAX + 2];
    memset(out, 0, sizeof(*out));
    if (!port_env(name, value, sizeof(value)))
        return ERR_NOT_FOUND;
    int err = copy(view_str(value), out);
    ct_wipe(SPAN_ARRAY(value));
    return err == OK && out->len == 0 ? ERR_NOT_FOUND : err;
}
