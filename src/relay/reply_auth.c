/* Signing in over Mesh: a face of relay/oauth.h; see reply.h. */
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "relay/oauth.h"
#include "relay/reply.h"

/* Decode the question's own message. OK, or the asker was told. */
static int decode(struct conn *c, const msg_open *open, const msg_rpc_open *p,
                  const pb_msgdesc_t *fields, void *msg)
{
    int err =
        msg_decode(view_of(p->request.bytes, p->request.size), fields, msg);
    if (err != OK)
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "the question does not parse", "");
    return err;
}

static struct oauth *oauth_of(struct conn *c)
{
    return &c->relay->web.people.oauth;
}

/* It could not even be asked: OAuth's word for that is an answer too. */
static void not_asked(struct rpcs *r, rpc_ref ref, int err, oauth_fn *fn)
{
    struct oauth_answer a = {.error = OAUTH_OK};
    if (err == OK)
        return;
    oauth_refused(err, &a);
    fn(r, ref, &a);
}

static void fail(struct rpcs *r, rpc_ref ref, const struct oauth_answer *a)
{
    bool busy = a->error == OAUTH_UNAVAILABLE;
    rpc_fail(r, ref,
             busy ? cmdop_agent_v1_Code_CODE_LIMIT
                  : cmdop_agent_v1_Code_CODE_INTERNAL,
             a->description[0] != '\0' ? a->description
                                       : oauth_error_str(a->error),
             busy ? "try again in a moment" : "");
}

/* ---- a device code ------------------------------------------------------------ */

static void device_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    cmdop_agent_v1_AuthDevice d = cmdop_agent_v1_AuthDevice_init_zero;
    if (a->error != OAUTH_OK) {
        fail(ctx, tag, a);
        return;
    }
    const struct oauth_device *o = &a->u.device;
    STR_COPY(d.device_code, o->device_code);
    STR_COPY(d.user_code, o->user_code);
    STR_COPY(d.verification_uri, o->verification_uri);
    STR_COPY(d.verification_uri_complete, o->verification_uri_complete);
    d.expires_in = o->expires_s;
    d.interval = o->interval_s;
    (void)rpc_put(ctx, tag, cmdop_agent_v1_AuthDevice_fields, &d, NULL, NULL);
    rpc_end(ctx, tag);
    ct_wipe(SPAN_ARRAY(d.device_code));
}

void reply_auth_device(struct conn *c, const msg_open *open,
                       const msg_rpc_open *p)
{
    cmdop_agent_v1_AuthDeviceOpen d = cmdop_agent_v1_AuthDeviceOpen_init_zero;
    if (decode(c, open, p, cmdop_agent_v1_AuthDeviceOpen_fields, &d) != OK)
        return;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    const struct oauth_client client = {.name = view_str(d.client_name),
                                        .version = view_str(d.client_version),
                                        .host = view_str(d.client_hostname),
                                        .platform = view_str(d.client_platform),
                                        .from = &c->from};
    struct rpcs *r = reply_rpcs(c);
    not_asked(r, ref, oauth_device(oauth_of(c), &client, device_answer, r, ref),
              device_answer);
}

/* ---- tokens --------------------------------------------------------------------- */

static void token_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    cmdop_agent_v1_AuthToken t = cmdop_agent_v1_AuthToken_init_zero;
    const struct oauth_tokens *o = &a->u.tokens;
    STR_COPY(t.error, oauth_error_str(a->error));
    STR_COPY(t.error_description, a->description);
    if (a->error == OAUTH_OK) {
        STR_COPY(t.access_token, o->access_token);
        STR_COPY(t.refresh_token, o->refresh_token);
        t.expires_in = o->expires_s;
        STR_COPY(t.user, o->user_name);
        STR_COPY(t.email, o->email);
        STR_COPY(t.fleet_id, o->fleet_id);
        STR_COPY(t.fleet_name, o->fleet_name);
        STR_COPY(t.user_id, o->user_id);
    }
    (void)rpc_put(ctx, tag, cmdop_agent_v1_AuthToken_fields, &t, NULL, NULL);
    rpc_end(ctx, tag);
    ct_wipe((struct span){(uint8_t *)&t, sizeof(t)});
}

void reply_auth_token(struct conn *c, const msg_open *open,
                      const msg_rpc_open *p)
{
    cmdop_agent_v1_AuthTokenOpen t = cmdop_agent_v1_AuthTokenOpen_init_zero;
    if (decode(c, open, p, cmdop_agent_v1_AuthTokenOpen_fields, &t) != OK)
        return;
    if ((t.device_code[0] == '\0') == (t.refresh_token[0] == '\0')) {
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "either a device code or a refresh token", "");
        return;
    }
    rpc_ref ref = reply_later(c, open);
    struct rpcs *r = reply_rpcs(c);
    struct oauth *o = oauth_of(c);
    if (ref == 0)
        return;
    int err = t.device_code[0] != '\0'
                  ? oauth_poll(o, view_str(t.device_code), token_answer, r, ref)
                  : oauth_refresh(o, view_str(t.refresh_token), &c->from,
                                  token_answer, r, ref);
    not_asked(r, ref, err, token_answer);
    ct_wipe((struct span){(uint8_t *)&t, sizeof(t)});
}

static void revoke_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    if (a->error == OAUTH_OK)
        rpc_end(ctx, tag);
    else
        fail(ctx, tag, a);
}

void reply_auth_revoke(struct conn *c, const msg_open *open,
                       const msg_rpc_open *p)
{
    cmdop_agent_v1_AuthRevokeOpen t = cmdop_agent_v1_AuthRevokeOpen_init_zero;
    if (decode(c, open, p, cmdop_agent_v1_AuthRevokeOpen_fields, &t) != OK)
        return;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    struct rpcs *r = reply_rpcs(c);
    not_asked(
        r, ref,
        oauth_revoke(oauth_of(c), view_str(t.token), revoke_answer, r, ref),
        revoke_answer);
    ct_wipe((struct span){(uint8_t *)&t, sizeof(t)});
}

/* ---- who am I ------------------------------------------------------------------- */

static void who_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    cmdop_agent_v1_WhoAmI w = cmdop_agent_v1_WhoAmI_init_zero;
    const struct store_who *who = &a->u.who;
    if (a->err == OK && a->outcome == STORE_DONE) {
        STR_COPY(w.user, who->user_name);
        STR_COPY(w.email, who->email);
        STR_COPY(w.user_id, who->user_id);
        STR_COPY(w.role, store_role_str(who->role));
        STR_COPY(w.fleet_id, who->fleet_id);
        STR_COPY(w.fleet_name, who->fleet_name);
        STR_COPY(w.kind, store_token_kind_str(who->kind));
        w.expires_ms = who->expires_ms;
        (void)rpc_put(ctx, tag, cmdop_agent_v1_WhoAmI_fields, &w, NULL, NULL);
    }
    reply_outcome(ctx, tag, a, "the sign-in was ended");
}

void reply_auth_whoami(struct conn *c, const msg_open *open,
                       const msg_rpc_open *p)
{
    struct store_ask q = {.op = STORE_TOKEN_CHECK, .answer = who_answer};
    (void)p;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    memcpy(q.u.token_check.hash, c->token, sizeof(c->token));
    reply_ask(c, ref, &q);
}
