/* What the routes below /api/ share; see rest.h. */
#include "relay/rest.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "crypto/seal.h"

#define DAY_MS     (INT64_C(24) * 3600 * 1000)
#define CURSOR_CAP 192
#define BOX_CAP    (SEAL_NONCE_LEN + CURSOR_CAP + SEAL_TAG_LEN)
#define TEXT_CAP   (BOX_CAP * 4 / 3 + 4)
#define DAYS_MAX   3650

/* The last row: text[4] its name, text[5] its id, number its time. A cursor
 * is "time id name" under a seal: the last row may be one that the caller
 * does not see. */

/* A cursor is good for one list of one fleet. */
static struct view purpose(const struct call *c, char buf[96])
{
    struct text t;

    text_init(&t, buf, 96);
    text_join(&t, "cursor:", c->who.fleet_id, c->route->path, NULL);
    assert(!t.cut);
    return text_done(&t);
}

static bool read_cursor(const struct call *c, const char *text,
                        struct store_list *list)
{
    char plain[CURSOR_CAP], head[96];
    uint8_t box[BOX_CAP];
    uint64_t ms;
    int n = base64_decode(BASE64_URL, view_str(text), SPAN_ARRAY(box));

    if (n < SEAL_NONCE_LEN)
        return false;
    n = seal_open(c->people->seal_key, box, purpose(c, head),
                  view_from(view_of(box, (size_t)n), SEAL_NONCE_LEN),
                  (struct span){(uint8_t *)plain, sizeof plain});
    if (n < 0)
        return false;
    struct view v = view_of(plain, (size_t)n);
    ptrdiff_t blank = view_find(v, ' ');
    if (blank < 0 ||
        text_parse_u64(view_first(v, (size_t)blank), INT64_MAX, &ms) != OK)
        return false;
    v = view_from(v, (size_t)blank + 1);
    if (v.len < UUID_CAP || v.ptr[UUID_CAP - 1] != ' ')
        return false;
    list->after_ms = (int64_t)ms;
    bytes_to_str(list->after_id, UUID_CAP, view_first(v, UUID_CAP - 1));
    v = view_from(v, UUID_CAP);
    if (v.len >= sizeof list->after_name || memchr(v.ptr, 0, v.len) != NULL)
        return false;
    bytes_to_str(list->after_name, sizeof list->after_name, v);
    return true;
}

bool rest_list_begin(struct call *c, struct store_list *list)
{
    char text[TEXT_CAP];
    uint64_t limit = REST_LIMIT_MAX;
    int n = call_query(c, "limit", text, 8);

    if (n != ERR_NOT_FOUND &&
        (n <= 0 ||
         text_parse_u64(view_str(text), REST_LIMIT_MAX, &limit) != OK ||
         limit == 0)) {
        call_fail(c, 400, "limit is a number from 1 to 100");
        return false;
    }
    n = call_query(c, "cursor", text, sizeof text);
    if (n != ERR_NOT_FOUND && (n <= 0 || !read_cursor(c, text, list))) {
        call_fail(c, 400, "that is no cursor of this list");
        return false;
    }
    list->limit = (uint32_t)limit;
    c->text[4][0] = c->text[5][0] = '\0';
    c->number = 0;
    struct json_out *o = call_json(c);
    json_obj_begin(o);
    json_key(o, "items");
    json_arr_begin(o);
    return true;
}

bool rest_room(const struct call *c)
{
    return c->json.text.cap - c->json.text.len > REST_ROW_MAX + 512;
}

void rest_last(struct call *c, const char *name, int64_t ms, const char *id)
{
    bytes_to_str(c->text[4], CALL_TEXT, view_str(name));
    bytes_to_str(c->text[5], CALL_TEXT, view_str(id));
    c->number = ms;
}

static void put_cursor(struct call *c)
{
    char plain[CURSOR_CAP], head[96], text[TEXT_CAP] = "";
    uint8_t box[BOX_CAP];
    struct text t;
    struct writer w;

    TEXT_OF(&t, plain);
    text_i64(&t, c->number);
    text_join(&t, " ", c->text[5], " ", c->text[4], NULL);
    port_entropy((struct span){box, SEAL_NONCE_LEN});
    int n = seal_close(
        c->people->seal_key, box, purpose(c, head), text_done(&t),
        (struct span){box + SEAL_NONCE_LEN, BOX_CAP - SEAL_NONCE_LEN});
    assert(n > 0);
    writer_init(&w, (struct span){(uint8_t *)text, sizeof text - 1});
    base64_write(&w, BASE64_URL, view_of(box, SEAL_NONCE_LEN + (size_t)n));
    json_cstr(&c->json, text);
}

void rest_list_end(struct call *c, const struct store_answer *a)
{
    struct json_out *o = &c->json;
    bool more = a->more && c->text[5][0] != '\0';

    json_arr_end(o);
    json_key(o, "next_cursor");
    if (more)
        put_cursor(c);
    else
        json_null(o);
    json_key(o, "has_more");
    json_bool(o, more);
    json_obj_end(o);
    call_json_done(c, 200);
}

static bool is_name(struct call *c, bool is)
{
    if (!is)
        call_fail(c, 422, "name has 1 to 63 bytes, not all of them blanks");
    return is;
}

bool rest_name(struct call *c, char *out, size_t cap)
{
    return is_name(c, call_name(c, "name", out, cap) >= 0);
}

bool rest_new_name(struct call *c, char *out, size_t cap)
{
    int n = call_name(c, "name", out, cap);

    return is_name(c, n >= 0 || n == ERR_NOT_FOUND);
}

bool rest_role(struct call *c, enum store_role *out)
{
    char word[16];
    int n = call_param(c, "role", word, sizeof word);

    if (n > 0 && store_role_parse(view_of(word, (size_t)n), out))
        return true;
    call_fail(c, 422, "role is owner, admin, member or viewer");
    return false;
}

bool rest_days(struct call *c, const char *name, uint64_t otherwise,
               int64_t *expires_ms)
{
    uint64_t days = otherwise;
    int at = c->has_doc ? json_get(&c->doc, 0, name) : ERR_NOT_FOUND;

    if (at >= 0 && json_kind(&c->doc, at) != JSON_NULL &&
        (json_to_u64(&c->doc, at, DAYS_MAX, &days) != OK || days == 0)) {
        call_fail(c, 422, "the number of days is 1 to 3650");
        return false;
    }
    *expires_ms = days == 0 ? 0 : port_wall_ms() + (int64_t)days * DAY_MS;
    return true;
}
