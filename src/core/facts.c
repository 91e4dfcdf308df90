/* Facts about this machine; see facts.h. */
#include "core/facts.h"

#include <string.h>

#include "base/text.h"
#include "limits.h"
#include "port/port.h"

void facts_hello(msg_hello *out, cmdop_agent_v1_Role role, const char *version)
{
    struct text t;
    memset(out, 0, sizeof(*out));
    out->role = role;
    out->version_min = PROTO_VERSION_MIN;
    out->version_max = PROTO_VERSION_MAX;
    TEXT_OF(&t, out->software);
    text_join(&t, "cmdop/", version, NULL);
}

void facts_machine(msg_hello *out)
{
    cmdop_agent_v1_Facts *f = &out->facts;
    struct port_facts p;
    port_facts(&p);
    out->has_facts = true;
    port_hostname(f->hostname, sizeof(f->hostname));
    STR_COPY(f->os, p.os);
    STR_COPY(f->os_version, p.os_version);
    STR_COPY(f->kernel_version, p.kernel_version);
    STR_COPY(f->architecture, p.architecture);
    STR_COPY(f->cpu_model, p.cpu_model);
    STR_COPY(f->device_type, p.device_type);
    STR_COPY(f->device_model, p.device_model);
    STR_COPY(f->agent_version, out->software);
    STR_COPY(f->username, port_username());
    STR_COPY(f->home_dir, port_home());
    STR_COPY(f->shell, port_shell());
    f->uid = port_uid();
    f->is_root = f->uid == 0;
    f->cpu_count = p.cpu_count;
    f->total_ram_bytes = p.total_ram;
    f->uptime_seconds = p.uptime_seconds;
    f->has_shell = f->shell[0] != '\0';
}

static float percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (float)part * 100 / (float)whole;
}

void facts_heartbeat(msg_heartbeat *out, uint32_t sessions)
{
    cmdop_agent_v1_Metrics *m = &out->metrics;
    struct port_metrics p;
    port_metrics(port_home(), &p);
    memset(out, 0, sizeof(*out));
    out->has_metrics = true;
    m->cpu_usage = p.cpu_usage;
    m->memory_total = p.memory_total;
    m->memory_free = p.memory_free;
    m->memory_usage = percent(p.memory_total - p.memory_free, p.memory_total);
    m->disk_total = p.disk_total;
    m->disk_free = p.disk_free;
    m->disk_usage = percent(p.disk_total - p.disk_free, p.disk_total);
    m->uptime_seconds = p.uptime_seconds;
    m->process_count = p.process_count;
    m->battery_level = p.battery_level;
    m->is_charging = p.is_charging;
    m->is_on_ac_power = p.on_ac_power;
    m->session_count = sessions;
}
