/* How the machine is; see port_metrics. A few small reads, once per
 * heartbeat. */
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/text.h"
#include "slurp.h"

/* ---- processor ---------------------------------------------------------- */

struct ticks {
    uint64_t all, idle;
};

/* "cpu  user nice system idle iowait irq softirq steal ..." */
static bool take_ticks(void *ctx, struct view line)
{
    struct ticks *t = ctx;
    line = view_from(line, 3);
    for (int i = 0; i < 8; i++) {
        uint64_t n = slurp_number(&line);
        t->all += n;
        t->idle += i == 3 || i == 4 ? n : 0;
    }
    return false;
}

static float cpu_usage(void)
{
    static struct ticks before;
    struct ticks now = {0, 0};
    uint64_t all, idle;
    slurp_lines("/proc/stat", take_ticks, &now);
    all = now.all - before.all;
    idle = now.idle - before.idle;
    if (now.all <= before.all || idle > all)
        return 0;
    before = now;
    return 100.0f * (float)(all - idle) / (float)all;
}

/* ---- memory, disk, processes -------------------------------------------- */

struct memory {
    uint64_t total, available;
};

static bool take_memory(void *ctx, struct view line)
{
    struct memory *m = ctx;
    struct view key = view_str("MemTotal:");
    uint64_t *out = &m->total;
    if (view_starts(line, view_str("MemAvailable:"))) {
        key = view_str("MemAvailable:");
        out = &m->available;
    } else if (!view_starts(line, key)) {
        return true;
    }
    line = view_from(line, key.len);
    *out = slurp_number(&line) * 1024;
    return out == &m->total;
}

static void read_disk(const char *path, struct port_metrics *out)
{
    struct statvfs fs;
    if (statvfs(path, &fs) < 0)
        return;
    out->disk_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    out->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void count_process(void *ctx, const char *name)
{
    uint32_t *count = ctx;
    *count += name[0] >= '1' && name[0] <= '9';
}

/* ---- power -------------------------------------------------------------- */

static bool supply_file(const char *supply, const char *file, char *out,
                        size_t cap)
{
    char path[128];
    struct text t;
    TEXT_OF(&t, path);
    text_join(&t, "/sys/class/power_supply/", supply, "/", file, NULL);
    return !t.cut && slurp_first(path, out, cap);
}

static void read_supply(void *ctx, const char *name)
{
    struct port_metrics *out = ctx;
    char text[24];
    struct view v;
    if (name[0] == '.' || !supply_file(name, "type", text, sizeof(text)))
        return;
    if (strcmp(text, "Battery") != 0) {
        if (supply_file(name, "online", text, sizeof(text)))
            out->on_ac_power = out->on_ac_power || text[0] == '1';
        return;
    }
    if (out->battery_level >= 0 ||
        !supply_file(name, "capacity", text, sizeof(text)))
        return;
    v = view_str(text);
    out->battery_level = (int)(slurp_number(&v) % 1000);
    supply_file(name, "status", text, sizeof(text));
    out->is_charging = strcmp(text, "Charging") == 0;
}

static void read_power(struct port_metrics *out)
{
    out->battery_level = -1;
    (void)port_folder_list("/sys/class/power_supply", read_supply, out);
    if (out->battery_level < 0)
        out->on_ac_power = true; /* whatever runs without one is fed */
}

void port_metrics(const char *disk_path, struct port_metrics *out)
{
    struct memory m = {0, 0};
    struct sysinfo si;
    memset(out, 0, sizeof(*out));
    out->cpu_usage = cpu_usage();
    slurp_lines("/proc/meminfo", take_memory, &m);
    out->memory_total = m.total;
    out->memory_free = m.available;
    read_disk(disk_path, out);
    (void)port_folder_list("/proc", count_process, &out->process_count);
    read_power(out);
    if (sysinfo(&si) == 0)
        out->uptime_seconds = (uint64_t)si.uptime;
}
