/*
 * `cmdop agent status`: the agent's own answer over its local socket, and the
 * verdict that follows from it.
 *
 *     ONLINE    it answers and its handshake with the relay is done
 *     STARTING  it answers and was never connected
 *     DEGRADED  it answers but lost the relay, or runs without answering
 */
#include "agent/status.h"

#include <string.h>

#include "base/err.h"
#include "codec/json.h"
#include "core/client.h"
#include "core/cmd.h"
#include "core/paths.h"

static void on_record(void *ctx, struct view record)
{
    struct status *s = ctx;
    if (msg_decode(record, cmdop_agent_v1_AgentStatus_fields, &s->agent) == OK)
        s->answered = true;
}

int status_holder(const char *state)
{
    char path[PATH_CAP];
    int pid = 0;
    if (paths_join(path, state, "agent.lock") != OK)
        return 0;
    return port_keep_holder(path, &pid) == OK ? pid : 0;
}

int status_ask(const char *version, struct status *s, struct text *why)
{
    struct paths paths;
    memset(s, 0, sizeof(*s));
    int err = paths_find(&paths, why);
    if (err != OK)
        return err;
    s->pid = status_holder(paths.state);
    struct client_question q = {.version = version,
                                .where.local = true,
                                .quiet = true,
                                .method = "agent.status",
                                .record = on_record,
                                .ctx = s};
    if (s->pid != 0)
        (void)client_ask(&q);
    return OK;
}

const char *status_verdict(const struct status *s)
{
    if (s->pid == 0)
        return "STOPPED";
    if (!s->answered)
        return "DEGRADED";
    if (s->agent.connected)
        return "ONLINE";
    return s->agent.connected_ms == 0 ? "STARTING" : "DEGRADED";
}

static void line(struct text *t, const char *label, const char *value)
{
    size_t from = t->len;
    text_str(t, label);
    text_pad(t, from, 13);
    text_safe(t, view_str(value));
    text_str(t, "\n");
}

void status_print(const struct status *s)
{
    char buf[2048], number[24], time[32];
    struct text t, n;
    const msg_agent_status *a = &s->agent;
    TEXT_OF(&t, buf);
    line(&t, "Verdict", status_verdict(s));
    if (s->pid != 0) {
        TEXT_OF(&n, number);
        text_u64(&n, (uint64_t)s->pid);
        line(&t, "PID", number);
    }
    if (s->answered) {
        line(&t, "Hostname", a->hostname);
        line(&t, "Name", a->name);
        line(&t, "Machine", a->machine_id);
        line(&t, "Fleet", a->fleet_id);
        line(&t, "Relay", a->relay);
        line(&t, "Version", a->version);
        line(&t, "Fingerprint", a->fingerprint);
        if (a->next_fingerprint[0] != '\0')
            line(&t, "Next key", a->next_fingerprint);
        TEXT_OF(&n, time);
        if (a->connected_ms != 0)
            text_time(&n, a->connected_ms);
        line(&t, "Connected", a->connected_ms != 0 ? time : "never");
        if (a->trouble[0] != '\0')
            line(&t, "Trouble", a->trouble);
    } else if (s->pid != 0) {
        line(&t, "Trouble", "the agent does not answer on its socket");
    }
    cmd_out(text_done(&t));
}

void status_print_json(const struct status *s)
{
    char buf[4096];
    struct json_out j;
    const msg_agent_status *a = &s->agent;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "verdict", status_verdict(s));
    json_key(&j, "pid");
    json_u64(&j, (uint64_t)s->pid);
    if (s->answered) {
        json_member(&j, "hostname", a->hostname);
        json_member(&j, "name", a->name);
        json_member(&j, "machine_id", a->machine_id);
        json_member(&j, "fleet_id", a->fleet_id);
        json_member(&j, "relay", a->relay);
        json_member(&j, "version", a->version);
        json_member(&j, "fingerprint", a->fingerprint);
        json_key(&j, "next_fingerprint");
        if (a->next_fingerprint[0] != '\0')
            json_str(&j, view_str(a->next_fingerprint));
        else
            json_null(&j);
        json_key(&j, "key_version");
        json_u64(&j, a->key_version);
        json_key(&j, "lease_epoch");
        json_u64(&j, a->epoch);
        json_member(&j, "trouble", a->trouble);
        json_key(&j, "connected");
        json_bool(&j, a->connected);
        json_member_time(&j, "connected_at", a->connected_ms);
        json_key(&j, "started_at");
        json_time(&j, a->started_ms);
        json_key(&j, "clock_ahead_ms");
        json_i64(&j, a->clock_ahead_ms);
        json_key(&j, "sessions");
        json_u64(&j, a->sessions);
        json_key(&j, "jobs");
        json_u64(&j, a->jobs);
        json_key(&j, "wakeups");
        json_u64(&j, a->wakeups);
    }
    json_obj_end(&j);
    cmd_out_json(&j);
}
