/*
 * HTML for the relay's pages: plain, without script, one small style sheet.
 * Everything that comes from outside goes through page_text, which leaves
 * nothing that HTML could take for markup.
 */
#ifndef RELAY_PAGE_H
#define RELAY_PAGE_H

#include "relay/call.h"

/* Start a page; `title` is its heading, too. An error is a sentence that is
 * read out first; NULL: none. */
void page_begin(struct call *c, const char *title, const char *error);
/* End it; call_page sends it. */
void page_end(struct call *c);

/* Markup of ours, as it is; NULL-ended. */
void page_html(struct call *c, ...);
/* Text from anywhere. */
void page_text(struct call *c, const char *s);
void page_time(struct call *c, int64_t ms); /* "never" for 0 */

/* A form to `action`, with its token; and its end, with one button. */
void page_form(struct call *c, const char *action);
void page_hidden(struct call *c, const char *name, const char *value);
void page_form_end(struct call *c, const char *button);

/* One labelled input. */
struct page_input {
    const char *name; /* also its id */
    const char *label;
    const char *type; /* "text", "password", "email" */
    const char *autocomplete;
    const char *value; /* NULL: none */
    const char *hint;  /* NULL: none */
    int max;           /* characters */
    bool focus;        /* begin here */
    bool code;         /* digits and codes: no corrections */
    bool optional;
};
void page_input(struct call *c, const struct page_input *in);

/* A row "name: value" of a list begun with page_html("<dl>"). */
void page_fact(struct call *c, const char *name, const char *value);

/* The style sheet. */
struct view page_style(void);

#endif
