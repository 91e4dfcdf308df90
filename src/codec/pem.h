/*
 * PEM as people keep it (RFC 7468, laxtextualmsg): any number of blocks in
 * one text, with remarks before and between them, read in pieces. For our
 * own files, which have one form, see der_from_pem. What is inside a block
 * is left to the caller.
 *
 *     pem_init(&p, room);
 *     for each piece of the file:
 *         while ((event = pem_feed(&p, &piece)) != PEM_MORE)
 *             PEM_BLOCK: pem_label, pem_der; PEM_BAD: pem_why
 *     if (!pem_end(&p)) the text stops inside a block
 *
 * The last line of a text may lack its line end: pem_end gives it, so a block
 * may also come from there; ask pem_feed once more with an empty view.
 */
#ifndef CODEC_PEM_H
#define CODEC_PEM_H

#include <bearssl.h>

#include "base/bytes.h"

#define PEM_LABEL_CAP 48 /* a longer one is cut */

enum pem_event {
    PEM_MORE,  /* the piece is used up */
    PEM_BLOCK, /* a whole block */
    PEM_BAD,   /* not PEM behind a BEGIN line, or too large: pem_why */
};

/* Holds the block's bytes in the caller's room, and a few of them itself: for
 * secrets wipe both. */
struct pem {
    br_pem_decoder_context dec;
    struct span room;
    size_t len;
    char label[PEM_LABEL_CAP];
    bool inside;
    bool too_big;
};

/* A block of more than room.len bytes is PEM_BAD. */
void pem_init(struct pem *p, struct span room);

/* Take bytes off the front of *in, up to the end of a block at most. */
enum pem_event pem_feed(struct pem *p, struct view *in);

/* The text is over. The last event, PEM_BLOCK or PEM_BAD, if its last line had
 * no end, or if it stops inside a block; else PEM_MORE. */
enum pem_event pem_end(struct pem *p);

/* Of the block at hand, until the next call: its label in capital letters, and
 * its bytes. */
const char *pem_label(const struct pem *p);
struct view pem_der(const struct pem *p);

/* What is wrong, for people; lives for ever. */
const char *pem_why(const struct pem *p);

#endif
