/*
 * Authorities of this machine; see trust.h. A bundle of 200 KB and more is
 * read in pieces of a few KB; what is kept of each certificate is its subject
 * and its key.
 */
#include "core/trust.h"

#include <string.h>

#include "base/err.h"
#include "codec/pem.h"
#include "port/port.h"

#define PIECE      4096
#define CERT_BYTES 8192       /* of one certificate */
#define CLOCK_MIN  1735689600 /* 2025-01-01: no clock that is right is before */

/* Where systems keep their bundle. */
static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/cert.pem",                  /* Alpine, OpenWrt, BSD */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
};

/* One file on its way in. */
struct reading {
    struct trust *trust;
    bool lenient; /* the system's: pass over what we cannot use */
    bool full;
    size_t blocks; /* certificates seen */
    struct pem pem;
    br_x509_decoder_context dec;
    uint8_t room[CERT_BYTES];
};

/* ---- memory ------------------------------------------------------------------- */

static uint8_t *keep(struct reading *r, const void *bytes, size_t len)
{
    struct trust *t = r->trust;
    if (len > sizeof(t->block) - t->used) {
        r->full = true;
        return NULL;
    }
    uint8_t *at = t->block + t->used;
    memcpy(at, bytes, len);
    t->used += len;
    return at;
}

/* A subject comes in parts, which lie one behind the other. */
static void on_dn(void *ctx, const void *bytes, size_t len)
{
    (void)keep(ctx, bytes, len);
}

/* ---- one certificate ------------------------------------------------------------ */

static int keep_key(struct reading *r, const br_x509_pkey *from,
                    br_x509_pkey *to)
{
    *to = *from;
    if (from->key_type == BR_KEYTYPE_RSA) {
        to->key.rsa.n = keep(r, from->key.rsa.n, from->key.rsa.nlen);
        to->key.rsa.e = keep(r, from->key.rsa.e, from->key.rsa.elen);
    } else {
        to->key.ec.q = keep(r, from->key.ec.q, from->key.ec.qlen);
    }
    return r->full ? ERR_LIMIT : OK;
}

/* The decoder gets no byte after an error: see transport/certtap.c. */
static int decode(struct reading *r, struct view der)
{
    br_x509_decoder_init(&r->dec, on_dn, r);
    for (size_t at = 0; at < der.len; at++) {
        if (br_x509_decoder_last_error(&r->dec) != BR_ERR_X509_TRUNCATED)
            return ERR_DAMAGED;
        br_x509_decoder_push(&r->dec, der.ptr + at, 1);
    }
    return br_x509_decoder_last_error(&r->dec) == 0 ? OK : ERR_DAMAGED;
}

static int add(struct reading *r, struct view der)
{
    struct trust *t = r->trust;
    size_t mark = t->used;
    if (t->count == TRUST_ANCHORS_MAX)
        return ERR_LIMIT;
    br_x509_trust_anchor *a = &t->anchor[t->count];
    int err = decode(r, der);
    if (r->full)
        return ERR_LIMIT;
    if (err != OK) {
        t->used = mark;
        return err;
    }
    a->dn.data = t->block + mark;
    a->dn.len = t->used - mark;
    a->flags = br_x509_decoder_isCA(&r->dec) ? BR_X509_TA_CA : 0;
    err = keep_key(r, br_x509_decoder_get_pkey(&r->dec), &a->pkey);
    if (err == OK)
        t->count++;
    return err;
}

static bool is_cert(const char *label)
{
    return strcmp(label, "CERTIFICATE") == 0 ||
           strcmp(label, "X509 CERTIFICATE") == 0 ||
           strcmp(label, "TRUSTED CERTIFICATE") == 0;
}

static int on_event(struct reading *r, enum pem_event event)
{
    int err = ERR_DAMAGED;
    if (event == PEM_BLOCK && !is_cert(pem_label(&r->pem)))
        return OK;
    r->blocks++;
    if (event == PEM_BLOCK)
        err = add(r, pem_der(&r->pem));
    if (err == ERR_DAMAGED && r->lenient) {
        r->trust->skipped++;
        return OK;
    }
    return err;
}

/* ---- files ------------------------------------------------------------------------ */

static int read_pieces(struct reading *r, int file)
{
    uint8_t piece[PIECE];
    int n, err = OK;
    while (err == OK && (n = port_recv(file, SPAN_ARRAY(piece))) > 0) {
        struct view in = view_of(piece, (size_t)n);
        enum pem_event event;
        while (err == OK && (event = pem_feed(&r->pem, &in)) != PEM_MORE)
            err = on_event(r, event);
    }
    if (err != OK)
        return err;
    if (n < 0 && n != ERR_CLOSED)
        return n;
    enum pem_event last = pem_end(&r->pem);
    return last == PEM_MORE ? OK : on_event(r, last);
}

static int say(struct text *why, int err, const struct reading *r)
{
    const char *path = r->trust->from;
    if (err == ERR_DAMAGED) {
        text_join(why, "the certificate number ", NULL);
        text_u64(why, r->blocks);
        text_join(why, " in ", path, " cannot be used", NULL);
    } else if (err == ERR_LIMIT) {
        text_join(why, path,
                  " holds more authorities than fit (512, and 256 "
                  "KiB); name a file with those that are needed",
                  NULL);
    } else {
        text_join(why, "cannot read ", path, ": ", port_why(), NULL);
    }
    return err;
}

static int load(struct trust *t, const char *path, bool lenient,
                struct text *why)
{
    static struct reading r;
    memset(&r, 0, sizeof(r));
    r.trust = t;
    r.lenient = lenient;
    t->count = t->skipped = t->used = 0;
    if (STR_COPY(t->from, path) + 1 >= sizeof(t->from)) {
        text_str(why, "the path of the authorities' file is too long");
        return ERR_RANGE;
    }
    int file = port_file_open(path);
    if (file < 0)
        return say(why, file, &r);
    pem_init(&r.pem, SPAN_ARRAY(r.room));
    int err = read_pieces(&r, file);
    port_close(file);
    if (err != OK)
        return say(why, err, &r);
    if (t->count > 0)
        return OK;
    text_join(why, path, " holds no certificate of an authority", NULL);
    return ERR_DAMAGED;
}

int trust_load(struct trust *t, const char *file, struct text *why)
{
    char named[PATH_CAP];
    if (file == NULL && port_env("CMDOP_CA_FILE", named, sizeof(named)) &&
        named[0] != '\0')
        file = named;
    if (file != NULL)
        return load(t, file, false, why);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char buf[PATH_CAP + 160];
        struct text reason;
        TEXT_OF(&reason, buf);
        int err = load(t, places[i], true, &reason);
        if (err == OK)
            return OK;
        if (err != ERR_NOT_FOUND) {
            text_str(why, buf);
            return err;
        }
    }
    text_str(why,
             "this system has no list of trusted authorities; install "
             "ca-certificates, name a file with --ca-file or CMDOP_CA_FILE, "
             "or use a join string, which needs none");
    return ERR_NOT_FOUND;
}

int trust_host(const char *host, int64_t now_s, struct text *why)
{
    struct port_addr addr;
    if (port_addr_parse(host, 1, &addr) == OK) {
        text_join(why, "a certificate cannot be checked for the bare address ",
                  host,
                  "; use the relay's DNS name, or a join string, which pins "
                  "its key",
                  NULL);
        return ERR_UNSUPPORTED;
    }
    if (now_s < CLOCK_MIN) {
        text_str(why, "this machine's clock says ");
        text_time(why, now_s * 1000);
        text_str(why, ", so no certificate can be checked; set it, or use a "
                      "join string, which needs no clock");
        return ERR_RANGE;
    }
    return OK;
}

void trust_tls(const struct trust *t, struct tls_client_cfg *cfg)
{
    cfg->anchors = t->anchor;
    cfg->anchors_count = t->count;
    cfg->unix_time = port_wall_ms() / 1000;
}
