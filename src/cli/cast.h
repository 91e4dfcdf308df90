/*
 * Asciicast files, version 2: one JSON object that tells what is shown, then
 * one array a line for each event. Pure: bytes in, bytes out.
 *
 *     {"version":2,"width":80,"height":24,...,"cmdop":{...}}
 *     [0,"o","$ ls\r\n"]
 *
 * A session's ring holds bytes and no times, so every event that we write has
 * the time 0: a player shows the end at once. What only we need is in the
 * object "cmdop", which others skip; without it a file is as good to read.
 *
 * The format knows text, a terminal's output is bytes: what is no UTF-8
 * becomes U+FFFD, one for each byte, and is then longer than it was.
 */
#ifndef CLI_CAST_H
#define CLI_CAST_H

#include "base/bytes.h"

#define CAST_LINE_OUT (8 * 1024)  /* a line that we write, at most */
#define CAST_LINE_IN  (64 * 1024) /* one that we read */
#define CAST_SIDE_MAX 65535       /* columns or rows */

struct cast_head {
    uint32_t width, height; /* 1 to CAST_SIDE_MAX */
    int64_t timestamp_s;    /* Unix time of the start; 0: not known */
    char title[64];
    /* Of "cmdop"; empty and 0 without it. */
    char session_id[40]; /* not empty with it */
    char machine[64];
    char user[64];
    char command[128];
    uint64_t first_offset; /* of the session's output */
    uint64_t bytes;        /* of it from there on, before they became text */
    int64_t saved_ms;      /* whole seconds */
};

/* ---- writing ---------------------------------------------------------------- */

/* The first line; out->len CAST_LINE_OUT is enough for every head. How many
 * bytes, or ERR_FULL. "cmdop" is there if session_id is. */
int cast_write_head(const struct cast_head *head, struct span out);

/* Zero to start. */
struct cast_writer {
    uint8_t tail[4]; /* a character that is not complete yet */
    uint8_t tail_len;
};

/*
 * The next bytes of output as event lines, as many as `out` takes.
 * used    how many of `bytes` are in the lines or kept in the writer; those
 *         of an unfinished character are, without a line
 * Returns how many bytes of `out` were written, perhaps 0; ERR_FULL when not
 * even one line fits, with nothing used. CAST_LINE_OUT bytes always do.
 */
int cast_write_output(struct cast_writer *w, struct view bytes, struct span out,
                      size_t *used);

/* Nothing follows: a line of what is left, if anything is. As above. */
int cast_write_end(struct cast_writer *w, struct span out);

/* ---- reading ----------------------------------------------------------------- */

enum cast_kind {
    CAST_HEAD,   /* `head` is filled in */
    CAST_OUTPUT, /* `output` is what was shown */
    CAST_OTHER,  /* an event that is not output: skip it */
};

/* One for a whole file; zero before its first line. */
struct cast_line {
    uint64_t number; /* of the line read last, from 1 */
    enum cast_kind kind;
    struct cast_head head; /* stays from the first line on */
    struct view output;    /* into `decoded`, until the next line */
    const char *why;       /* what is wrong with it, for people */
    uint8_t decoded[CAST_LINE_IN];
};

/*
 * The next line, with or without its end: the first must be a head of version
 * 2, all others events. Keys that nobody knows are skipped; texts too long
 * for the head are cut between characters. OK; ERR_DAMAGED when it is not
 * such a line, or longer than CAST_LINE_IN, and `why` tells.
 */
int cast_read_line(struct view line, struct cast_line *out);

#endif
