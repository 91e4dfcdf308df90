/* The certificate that is shown; see badge.h. */
#include "relay/badge.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "port/port.h"
#include "relay/keys.h"

#define CERTS_CAP (32 * 1024) /* of a PEM file with a chain */
#define KEY_CAP   8192
#define SOON_S    (14 * 86400) /* before the end we begin to warn, */
#define DAY_S     86400        /* once a day */

/* Both files as they are read. One thread, one at a time. */
static struct {
    uint8_t certs[CERTS_CAP], key[KEY_CAP];
    int certs_len, key_len; /* or an error */
} files;

static struct view read_part(const uint8_t *bytes, int len)
{
    return view_of(bytes, len < 0 ? 0 : (size_t)len);
}

static void read_file(const char *path, bool secret, struct span out, int *len,
                      struct text *why)
{
    *len = port_keep_read(path, secret, out);
    if (*len == ERR_TOO_BIG)
        text_join(why, "the file ", path, " is too large", NULL);
    else if (*len < 0)
        text_join(why, "cannot read ", port_why(), NULL);
}

/* What was read, as one digest: an error is something that was read as well. */
static void digest_files(uint8_t out[32])
{
    struct hash h;
    hash_init(&h);
    hash_field_u32(&h, (uint32_t)files.certs_len);
    hash_field(&h, read_part(files.certs, files.certs_len));
    hash_field_u32(&h, (uint32_t)files.key_len);
    hash_field(&h, read_part(files.key, files.key_len));
    hash_take(&h, out);
}

static void wipe_files(void)
{
    ct_wipe(SPAN_ARRAY(files.key));
}

/* ---- the pair -------------------------------------------------------------------- */

/* Our own files are good for a while, or are made so. */
static int renew_own(struct badges *b, int64_t now_s, struct text *why)
{
    bool made = false;
    int err =
        keys_server(b->cfg.folder, b->cfg.name, b->cfg.host, now_s, &made, why);
    if (made && b->now != NULL) /* at the start it goes without saying */
        log_info("tls.own", "a certificate was made by the relay's own "
                            "authority");
    return err;
}

static int copy_path(char out[PATH_CAP], const char *path)
{
    return bytes_to_str(out, PATH_CAP, view_str(path)) == strlen(path)
               ? OK
               : ERR_RANGE;
}

static int read_pair(const struct badges *b, struct text *why)
{
    char certs[PATH_CAP], key[PATH_CAP];
    bool own = b->cfg.certificate == NULL;
    int err = own ? paths_join(certs, b->cfg.folder, "server.pem")
                  : copy_path(certs, b->cfg.certificate);
    if (err == OK)
        err = own ? paths_join(key, b->cfg.folder, "server.key")
                  : copy_path(key, b->cfg.key);
    if (err != OK) {
        text_str(why, "the path of the certificate or its key is too long");
        return err;
    }
    read_file(certs, false, SPAN_ARRAY(files.certs), &files.certs_len, why);
    files.key_len = 0;
    if (files.certs_len >= 0)
        read_file(key, true, SPAN_ARRAY(files.key), &files.key_len, why);
    if (files.certs_len < 0)
        return files.certs_len;
    return files.key_len < 0 ? files.key_len : OK;
}

static struct badge *spare(struct badges *b)
{
    return b->now == &b->badge[0] ? &b->badge[1] : &b->badge[0];
}

/* Read the files into the place that is free. */
static int load(struct badges *b, int64_t now_s, struct text *why)
{
    struct badge *to = spare(b);
    int err = tlsid_load(&to->id, read_part(files.certs, files.certs_len),
                         read_part(files.key, files.key_len), now_s, why);
    if (err != OK) {
        tlsid_wipe(&to->id);
        text_join(why, " (",
                  b->cfg.certificate != NULL ? b->cfg.certificate
                                             : b->cfg.folder,
                  ")", NULL);
        return err;
    }
    br_ssl_session_cache_lru_init(&to->cache, to->cache_mem.ptr,
                                  to->cache_mem.len);
    b->now = to;
    b->warned_s = 0;
    return OK;
}

static void tell_new(const struct badges *b)
{
    char line[128];
    struct text t;
    TEXT_OF(&t, line);
    text_str(&t, "new connections get the new certificate, valid until ");
    text_time(&t, b->now->id.not_after_s * 1000);
    log_info("tls.renewed", line);
}

static void tell_refused(const struct badges *b, const char *reason)
{
    char line[1024];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, reason, "; the certificate before it stays in force, until ",
              NULL);
    text_time(&t, b->now->id.not_after_s * 1000);
    log_error("tls.refused", line);
}

/* Nobody replaced it in time: machines go on, browsers will not. */
static void tell_end(struct badges *b, int64_t now_s)
{
    char line[128];
    struct text t;
    int64_t end_s = b->now->id.not_after_s;
    if (now_s < end_s - SOON_S || now_s < b->warned_s + DAY_S)
        return;
    b->warned_s = now_s;
    TEXT_OF(&t, line);
    text_str(&t, now_s < end_s ? "the certificate is not renewed and ends at "
                               : "the certificate has ended at ");
    text_time(&t, end_s * 1000);
    log_warn("tls.expires", line);
}

static void look_at_pair(struct badges *b, int64_t now_s, uint64_t now_ms)
{
    char reason[900];
    uint8_t digest[32];
    struct text why;
    int err = OK;
    TEXT_OF(&why, reason);
    if (b->cfg.certificate == NULL)
        err = renew_own(b, now_s, &why);
    int read = read_pair(b, &why);
    digest_files(digest);
    if (memcmp(digest, b->seen, sizeof(digest)) != 0) {
        memcpy(b->seen, digest, sizeof(digest));
        if (err == OK)
            err = read;
        if (err == OK)
            err = load(b, now_s, &why);
        if (err == OK) {
            b->rests_ms = now_ms + BADGE_REST_MS;
            tell_new(b);
        } else {
            tell_refused(b, reason);
        }
    }
    wipe_files();
    tell_end(b, now_s);
}

/* ---- the proxy's ------------------------------------------------------------------- */

static int read_proxy(struct badges *b, int64_t now_s, uint8_t digest[32],
                      struct text *why)
{
    struct tlsid_seen seen;
    int n;
    read_file(b->cfg.proxy, false, SPAN_ARRAY(files.certs), &n, why);
    hash_once(read_part(files.certs, n), digest);
    if (n < 0)
        return n;
    int err = tlsid_look(read_part(files.certs, n), now_s, &seen, why);
    if (err == OK)
        memcpy(b->proxy_end_point, seen.end_point, sizeof(seen.end_point));
    else
        text_join(why, " (", b->cfg.proxy, ")", NULL);
    return err;
}

static void look_at_proxy(struct badges *b, int64_t now_s)
{
    char reason[900];
    uint8_t digest[32], before[32];
    struct text why;
    TEXT_OF(&why, reason);
    memcpy(before, b->proxy_end_point, sizeof(before));
    int err = read_proxy(b, now_s, digest, &why);
    if (memcmp(digest, b->proxy_seen, sizeof(digest)) == 0)
        return;
    memcpy(b->proxy_seen, digest, sizeof(digest));
    if (err != OK)
        log_error("proxy.refused", reason);
    else if (memcmp(before, b->proxy_end_point, sizeof(before)) != 0)
        log_info("proxy.renewed", "the proxy's new certificate is expected "
                                  "from now on");
}

/* ---- doors ------------------------------------------------------------------------- */

int badges_open(struct badges *b, struct arena *a, const struct badges_cfg *cfg,
                int64_t now_s, struct text *why)
{
    b->cfg = *cfg;
    b->now = NULL;
    b->rests_ms = 0;
    b->warned_s = 0;
    for (int i = 0; i < 2; i++)
        b->badge[i].cache_mem = arena_span(a, BADGE_CACHE_BYTES);
    int err = cfg->certificate == NULL ? renew_own(b, now_s, why) : OK;
    if (err == OK)
        err = read_pair(b, why);
    if (err == OK) {
        digest_files(b->seen);
        err = load(b, now_s, why);
    }
    wipe_files();
    if (err == OK && cfg->proxy != NULL)
        err = read_proxy(b, now_s, b->proxy_seen, why);
    return err;
}

bool badges_look(struct badges *b, int64_t now_s, uint64_t now_ms)
{
    if (b->cfg.proxy != NULL)
        look_at_proxy(b, now_s);
    if (now_ms < b->rests_ms)
        return false;
    look_at_pair(b, now_s, now_ms);
    return true;
}

struct badge *badges_now(struct badges *b)
{
    return b->now;
}

const uint8_t *badges_proxy(const struct badges *b)
{
    return b->cfg.proxy != NULL ? b->proxy_end_point : NULL;
}
