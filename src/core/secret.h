/*
 * A password on its way in: typed without being shown, or from a file, a
 * variable or a pipe. Wipe it (secret_wipe) when it was used.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include "base/text.h"
#include "crypto/pwhash.h"

#define SECRET_MAX PWHASH_PASSWORD_MAX

struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t len;
    bool too_long;
};

void secret_wipe(struct secret *s);
static inline struct view secret_view(const struct secret *s)
{
    return view_of(s->bytes, s->len);
}

/* ---- typed ----------------------------------------------------------------- */

enum secret_event {
    SECRET_MORE,
    SECRET_DONE,    /* Enter */
    SECRET_GIVE_UP, /* Ctrl-C, or Ctrl-D on an empty line */
};

/* Take keys of a terminal in raw mode off the front of *in, as far as the end
 * of the line. Backspace takes a character back, Ctrl-U all of them; what is
 * beyond SECRET_MAX is noticed and not cut. */
enum secret_event secret_feed(struct secret *s, struct view *in);

/* Ask on this program's terminal and wait for the line. OK; ERR_CLOSED: given
 * up; ERR_UNSUPPORTED: there is no terminal; ERR_TOO_BIG. */
int secret_ask(const char *prompt, struct secret *out);

/* ---- not typed --------------------------------------------------------------- */

/* The line that standard input holds; the line end is no part of it. OK,
 * ERR_TOO_BIG. */
int secret_from_stdin(struct secret *out);
/* All of a file but a line end behind it. It must be for its owner's eyes
 * only. A sentence in *why on failure. */
int secret_from_file(const char *path, struct secret *out, struct text *why);
/* ERR_NOT_FOUND: not set, or empty. ERR_TOO_BIG. */
int secret_from_env(const char *name, struct secret *out);

#endif
