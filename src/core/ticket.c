/* Kept TLS handshakes; see ticket.h. */
#include "core/ticket.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"

#define MAGIC        "CMDOPTK1"
#define TICKET_BYTES (8 + 32 + 2 + 2 + 1 + 32 + 48 + 32)

/* One file per relay: its name begins with the pin. */
static int path_of(const char *dir, const uint8_t pin[32], char out[PATH_CAP])
{
    char name[48];
    struct text t;
    TEXT_OF(&t, name);
    text_str(&t, "ticket-");
    text_hex(&t, view_of(pin, 8));
    return paths_join(out, dir, name);
}

static int parse(struct view raw, const uint8_t pin[32], struct tls_ticket *out)
{
    struct reader r = {raw};
    struct view magic, whose;
    br_ssl_session_parameters *p = &out->params;
    if (raw.len != TICKET_BYTES || read_bytes(&r, 8, &magic) != OK ||
        read_bytes(&r, 32, &whose) != OK || !view_is(magic, MAGIC) ||
        !view_eq(whose, view_of(pin, 32)))
        return ERR_DAMAGED;
    memset(out, 0, sizeof(*out));
    (void)read_u16(&r, &p->version);
    (void)read_u16(&r, &p->cipher_suite);
    (void)read_u8(&r, &p->session_id_len);
    (void)read_copy(&r, p->session_id, 32);
    (void)read_copy(&r, p->master_secret, 48);
    if (p->session_id_len > 32)
        return ERR_DAMAGED;
    return read_copy(&r, out->end_point, 32);
}

int ticket_load(const char *dir, const uint8_t pin[32], struct tls_ticket *out)
{
    char path[PATH_CAP];
    uint8_t raw[TICKET_BYTES + 1];
    int n = path_of(dir, pin, path);
    if (n == OK)
        n = port_keep_read(path, true, SPAN_ARRAY(raw));
    if (n >= 0)
        n = parse(view_of(raw, (size_t)n), pin, out);
    ct_wipe(SPAN_ARRAY(raw));
    return n;
}

void ticket_save(const char *dir, const uint8_t pin[32],
                 const struct tls_ticket *t)
{
    char path[PATH_CAP];
    uint8_t raw[TICKET_BYTES];
    struct writer w;
    const br_ssl_session_parameters *p = &t->params;
    writer_init(&w, SPAN_ARRAY(raw));
    write_str(&w, MAGIC);
    write_bytes(&w, view_of(pin, 32));
    write_u16(&w, p->version);
    write_u16(&w, p->cipher_suite);
    write_u8(&w, p->session_id_len);
    write_bytes(&w, VIEW_ARRAY(p->session_id));
    write_bytes(&w, VIEW_ARRAY(p->master_secret));
    write_bytes(&w, VIEW_ARRAY(t->end_point));
    if (port_keep_folder(dir) == OK && path_of(dir, pin, path) == OK)
        (void)port_keep_write_fast(path, writer_view(&w));
    ct_wipe(SPAN_ARRAY(raw));
}
