/* Questions to machines; see fleet.h. */
#include "cli/fleet.h"

#include <string.h>

#include "base/err.h"
#include "cli/unlock.h"
#include "core/client.h"
#include "core/unlockfile.h"
#include "crypto/ct.h"

#define MACHINES_MAX 1024
#define AT_ONCE      16
#define REF_MIN      4 /* characters of an id that stand for it */

struct fleet;

struct lane {
    struct question question;
    struct span buf;
    struct fleet *fleet;
    const struct fleet_machine *machine; /* NULL: free */
    struct unlock_token token;           /* of that machine */
};

struct fleet {
    struct client client;
    const struct fleet_question *asked;
    struct fleet_machine *machines;
    uint32_t count, next;
    uint32_t busy;
    uint32_t answered;
    struct lane lanes[AT_ONCE];
    int status;           /* of the last failure */
    struct unlock unlock; /* of the one machine, when only one is asked */
    bool asked_password;
};

void fleet_name(struct json_out *o, const struct fleet_machine *m,
                const char *id, const char *name)
{
    bool listed = m->id[0] != '\0' || id[0] == '\0';
    json_member(o, "machine_id", listed ? m->id : id);
    json_member(o, "machine", listed ? m->name : name);
}

static void say_failure(const char *of, const question_failure *why)
{
    cmd_say(of, of[0] != '\0' ? ": " : "", why->message,
            why->remedy[0] != '\0' ? "; " : "", why->remedy, NULL);
}

static void ask_next(struct fleet *f);

static void on_record(void *ctx, struct view record)
{
    struct lane *l = ctx;
    l->fleet->asked->record(l->fleet->asked->ctx, l->machine, record);
}

/* Many machines are not asked for: nobody could answer in turn. */
static bool wants_password(struct fleet *f, const question_failure *why)
{
    if (why == NULL || why->code != cmdop_agent_v1_Code_CODE_PIN ||
        f->asked->host == NULL || f->asked_password)
        return false;
    f->asked_password = true;
    unlock_begin(&f->unlock);
    return true;
}

static void on_done(void *ctx, const question_failure *why)
{
    struct lane *l = ctx;
    struct fleet *f = l->fleet;
    if (f->client.done || wants_password(f, why))
        return;
    if (why != NULL) {
        const char *about = f->asked->about;
        say_failure(about != NULL ? about : l->machine->name, why);
        f->status = client_status(why->code);
    } else {
        f->answered++;
    }
    l->machine = NULL;
    f->busy--;
    ask_next(f);
}

/* The token that the machine gave, if there is one. */
static struct view recall(struct fleet *f, struct lane *l)
{
    const char *dir = f->client.paths.runtime;
    const uint8_t *pin = f->client.server.pin;
    int64_t now = port_wall_ms();
    if (f->asked->host != NULL)
        return unlock_view(&f->unlock);
    if (f->client.local ||
        (unlockfile_load(dir, pin, l->machine->id, now, &l->token) != OK &&
         unlockfile_find(dir, pin, l->machine->name, now, &l->token) != OK))
        return VIEW_NONE;
    return VIEW_ARRAY(l->token.token);
}

static void ask_one(struct fleet *f, struct lane *l)
{
    l->machine = &f->machines[f->next++];
    l->question.unlock = recall(f, l);
    f->busy++;
    l->question.record = on_record;
    l->question.done = on_done;
    l->question.ctx = l;
    int err = question_ask(&l->question, client_mux(&f->client), l->buf,
                           fleet_target(l->machine), f->asked->method,
                           f->asked->call);
    ct_wipe((struct span){(uint8_t *)&l->token, sizeof(l->token)});
    if (err == OK)
        return;
    l->machine = NULL;
    f->busy--;
}

static void ask_next(struct fleet *f)
{
    for (int i = 0; i < AT_ONCE && f->next < f->count; i++)
        if (f->lanes[i].machine == NULL)
            ask_one(f, &f->lanes[i]);
    if (f->busy == 0)
        client_leave(&f->client,
                     f->answered > 0 || f->count == 0 ? CMD_OK : f->status);
}

/* The same once more; now there is a token. */
static void on_unlocked(void *ctx, msg_code code, const char *message,
                        const char *remedy)
{
    struct fleet *f = ctx;
    question_failure why = {.code = code};
    if (code != cmdop_agent_v1_Code_CODE_UNSPECIFIED) {
        STR_COPY(why.message, message);
        STR_COPY(why.remedy, remedy);
        on_done(&f->lanes[0], &why);
        return;
    }
    f->lanes[0].machine = NULL;
    f->busy = f->next = 0;
    ask_next(f);
}

/* ---- which machines ------------------------------------------------------------- */

static void on_machine(void *ctx, struct view record)
{
    struct lane *l = ctx;
    struct fleet *f = l->fleet;
    msg_machine_info m = cmdop_agent_v1_MachineInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_MachineInfo_fields, &m) != 0 ||
        !m.online || f->count == MACHINES_MAX)
        return;
    struct fleet_machine *one = &f->machines[f->count++];
    STR_COPY(one->id, m.id);
    STR_COPY(one->name, m.name);
}

static void on_all_machines(void *ctx, const question_failure *why)
{
    struct lane *l = ctx;
    struct fleet *f = l->fleet;
    if (f->client.done)
        return;
    if (why != NULL) {
        say_failure("", why);
        client_leave(&f->client, client_status(why->code));
        return;
    }
    ask_next(f);
}

static void on_up(void *ctx)
{
    struct fleet *f = ctx;
    struct lane *l = &f->lanes[0];
    if (f->count > 0) {
        ask_next(f);
        return;
    }
    l->question = (struct question){
        .record = on_machine, .done = on_all_machines, .ctx = l};
    if (question_ask(&l->question, client_mux(&f->client), l->buf, "",
                     "machines.list", NULL) != OK)
        client_leave(&f->client, CMD_TRANSPORT);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct fleet *f = ctx;
    (void)fatal;
    if (!f->client.done)
        cmd_say(why, NULL);
    client_leave(&f->client, client_down_status(&f->client));
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

int fleet_ask(const struct cmd_env *env, const struct where *where,
              const struct fleet_question *q)
{
    static struct fleet f;
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    arena_init(&arena,
               port_memory(CLIENT_BYTES + (AT_ONCE + 1) * QUESTION_RING +
                           MACHINES_MAX * sizeof(*f.machines) + 4096));
    f = (struct fleet){.asked = q, .status = CMD_TRANSPORT};
    if (client_init(&f.client, &arena, env->version, where, &client_ops, &f,
                    &why) != 0) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    f.machines = arena_carve(&arena, MACHINES_MAX * sizeof(*f.machines), 16);
    for (int i = 0; i < AT_ONCE; i++) {
        f.lanes[i].fleet = &f;
        f.lanes[i].buf = arena_span(&arena, QUESTION_RING);
    }
    if (q->host != NULL || where->local) {
        STR_COPY(f.machines[0].name, q->host != NULL ? q->host : "");
        f.count = 1;
    }
    unlock_init(&f.unlock, &arena, &f.client, f.machines[0].name);
    f.unlock.file = where->password_file;
    f.unlock.done = on_unlocked;
    f.unlock.ctx = &f;
    unlock_recall(&f.unlock);
    client_connect(&f.client);
    int status = client_run(&f.client);
    port_term_restore();
    unlock_wipe(&f.unlock);
    return status;
}

/* ---- finding one ------------------------------------------------------------------- */

struct search {
    const char *word;
    bool (*key)(struct view record, struct fleet_key *out);
    struct fleet_found *out;
    uint32_t exact, close;
    char names[256];
    struct text candidates;
};

static void take(struct search *s, const struct fleet_machine *m,
                 const char *id)
{
    s->out->machine = *m;
    STR_COPY(s->out->id, id);
}

static void on_candidate(void *ctx, const struct fleet_machine *m,
                         struct view record)
{
    struct search *s = ctx;
    struct fleet_key k = {.id = ""};
    struct view word = view_str(s->word);
    if (!s->key(record, &k))
        return;
    bool named = k.name[0] != '\0' && view_is(word, k.name);
    if (view_is(word, k.id) || (named && !k.old)) {
        s->exact++;
    } else if (named ||
               (word.len >= REF_MIN && view_starts(view_str(k.id), word))) {
        s->close++;
        if (s->exact > 0)
            return;
    } else {
        return;
    }
    take(s, m, k.id);
    text_str(&s->candidates, s->candidates.len > 0 ? ", " : "");
    text_safe(&s->candidates, view_str(m->name));
    text_str(&s->candidates, m->name[0] != '\0' ? ":" : "");
    text_safe(&s->candidates, view_str(k.id));
}

int fleet_find(const struct cmd_env *env, const struct where *where,
               const char *ref, const char *list,
               bool (*key)(struct view record, struct fleet_key *out),
               struct fleet_found *out)
{
    char host[NAME_CAP];
    const char *colon = strchr(ref, ':');
    struct search s = {
        .word = colon != NULL ? colon + 1 : ref, .key = key, .out = out};
    struct fleet_question q = {
        .method = list, .record = on_candidate, .ctx = &s};
    TEXT_OF(&s.candidates, s.names);
    if (colon != NULL && colon != ref) {
        bytes_to_str(host, sizeof(host), view_of(ref, (size_t)(colon - ref)));
        q.host = host;
    }
    int status = fleet_ask(env, where, &q);
    if (status != CMD_OK)
        return status;
    uint32_t n = s.exact > 0 ? s.exact : s.close;
    if (n == 1)
        return CMD_OK;
    if (n == 0)
        cmd_say("nothing on the machines that answer is called that: ", s.word,
                "; `cmdop ",
                view_is(view_str(list), "jobs.list") ? "job" : "session",
                " list` shows what is there", NULL);
    else
        cmd_say("several have that name: ", s.names,
                "; write HOST:ID, with more of the id", NULL);
    return CMD_FAILED;
}

static void ignore(void *ctx, const struct fleet_machine *m, struct view record)
{
    (void)ctx;
    (void)m;
    (void)record;
}

int fleet_order(const struct cmd_env *env, const struct where *where,
                const struct fleet_found *found, const char *method,
                msg_call *call)
{
    char about[NAME_CAP + sizeof(found->id) + 1];
    struct text t;
    STR_COPY(call->id, found->id);
    TEXT_OF(&t, about);
    text_join(&t, found->machine.name, found->machine.name[0] ? ":" : "",
              found->id, NULL);
    struct fleet_question q = {.host = fleet_target(&found->machine),
                               .method = method,
                               .call = call,
                               .about = about,
                               .record = ignore};
    return fleet_ask(env, where, &q);
}
