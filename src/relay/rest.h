/*
 * What the routes below /api/ share: lists with a cursor, and records as
 * JSON. A list is
 *
 *     {"items": [...], "next_cursor": "..." or null, "has_more": true}
 *
 * A cursor says after which row the next page begins; it is sealed, since
 * that row may be hidden from the caller, and good for one list of one fleet.
 */
#ifndef RELAY_REST_H
#define RELAY_REST_H

#include "relay/call.h"

#define REST_LIMIT_MAX 100
#define REST_ROW_MAX   2048 /* bytes that a row of JSON takes at most */

/* Read limit and cursor of the query into a list, and begin the answer.
 * False: answered. */
bool rest_list_begin(struct call *c, struct store_list *list);
/* Is there room for one more row? Otherwise the page ends here. */
bool rest_room(const struct call *c);
/* The row that was written last, for the cursor. */
void rest_last(struct call *c, const char *name, int64_t ms, const char *id);
/* End the list: a call_next. */
void rest_list_end(struct call *c, const struct store_answer *a);

/* "name" in the body. False: answered. */
bool rest_name(struct call *c, char *out, size_t cap);
/* The same; when it is absent, what is there stays. */
bool rest_new_name(struct call *c, char *out, size_t cap);
/* A role in the body: false: answered. */
bool rest_role(struct call *c, enum store_role *out);
/* A whole number of days in the body, as an end; 0 when it is absent and
 * `otherwise` is 0. False: answered. */
bool rest_days(struct call *c, const char *name, uint64_t otherwise,
               int64_t *expires_ms);

#endif
