/* Join keys, made over Mesh; see reply.h. */
#include <string.h>

#include "base/err.h"
#include "core/joinstr.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/offer.h"
#include "relay/reply.h"

#define EXPIRES_S_MAX (10 * 366 * 86400)

/* The key waits in the question's own place until the store has its hash:
 * nobody else has it. */
static void made(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct rpcs *r = ctx;
    char *key = rpc_note(r, tag);
    msg_join_key k = cmdop_agent_v1_JoinKey_init_zero;
    if (key == NULL)
        return; /* nobody waits: a key that nobody has */
    if (a->err == OK && a->outcome == STORE_DONE) {
        STR_COPY(k.id, a->u.joinkey.id);
        STR_COPY(k.key, key);
        k.expires_ms = a->u.joinkey.expires_ms;
        (void)rpc_put(r, tag, cmdop_agent_v1_JoinKey_fields, &k, NULL, NULL);
        ct_wipe(SPAN_ARRAY(k.key));
    }
    ct_wipe((struct span){(uint8_t *)key, RPC_NOTE_BYTES});
    reply_outcome(r, tag, a, "there is no such fleet");
}

/* A key's text fits the place. */
static bool mint(struct rpcs *r, rpc_ref ref)
{
    uint8_t raw[JOINSTR_KEY_RAW_LEN];
    char key[96];
    char *note = rpc_note(r, ref);
    if (note == NULL)
        return false;
    port_entropy(SPAN_ARRAY(raw));
    joinstr_key(raw, key);
    bytes_to_str(note, RPC_NOTE_BYTES, view_str(key));
    ct_wipe(SPAN_ARRAY(raw));
    ct_wipe(SPAN_ARRAY(key));
    return true;
}

static void fill(struct store_joinkey_make *in, const struct conn *c,
                 const msg_join_key_open *o, const char *key)
{
    uint32_t s = o->expires_s < EXPIRES_S_MAX ? o->expires_s : EXPIRES_S_MAX;
    STR_COPY(in->fleet_id, c->fleet_id);
    STR_COPY(in->label, o->label);
    STR_COPY(in->labels, o->labels);
    in->approval = o->approval;
    in->uses_max = o->uses_max;
    in->expires_ms = s == 0 ? 0 : port_wall_ms() + (int64_t)s * 1000;
    hash_once(view_str(key), in->hash);
    port_entropy(SPAN_ARRAY(in->random));
    in->actor = reply_actor(c);
}

void reply_joinkeys_make(struct conn *c, const msg_open *open,
                         const msg_rpc_open *p)
{
    struct store_ask q = {.op = STORE_JOINKEY_MAKE, .answer = made};
    msg_join_key_open o = cmdop_agent_v1_JoinKeyOpen_init_zero;
    const struct may_caller caller = reply_caller(c);
    const struct may_object fleet = {.fleet_id = c->fleet_id};
    struct may_no no;
    int err = may(&caller, MAY_JOINKEYS_MAKE, &fleet, &no);
    if (err != OK) {
        reply_no(c, open, err, &no);
        return;
    }
    if (msg_decode(view_of(p->request.bytes, p->request.size),
                   cmdop_agent_v1_JoinKeyOpen_fields, &o) != OK) {
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "the question does not parse", "");
        return;
    }
    rpc_ref ref = reply_later(c, open);
    if (ref == 0 || !mint(reply_rpcs(c), ref))
        return;
    fill(&q.u.joinkey_make, c, &o, rpc_note(reply_rpcs(c), ref));
    reply_ask(c, ref, &q);
}
