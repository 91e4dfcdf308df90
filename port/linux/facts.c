/* What kind of machine this is; see port_facts. Read once at start. */
#include <sched.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "slurp.h"

/* ---- "key: value" and KEY="value" files --------------------------------- */

struct pair {
    const char *key;
    char mark; /* between key and value */
    char *out;
    size_t cap;
};

static struct view trim(struct view v, const char *set)
{
    while (v.len > 0 && strchr(set, v.ptr[0]) != NULL)
        v = view_from(v, 1);
    while (v.len > 0 && strchr(set, v.ptr[v.len - 1]) != NULL)
        v.len--;
    return v;
}

static bool take_pair(void *ctx, struct view line)
{
    struct pair *p = ctx;
    struct text t;
    ptrdiff_t mark = view_find(line, (uint8_t)p->mark);
    if (mark < 0 ||
        !view_is(trim(view_first(line, (size_t)mark), " \t"), p->key))
        return true;
    text_init(&t, p->out, p->cap);
    text_safe(&t, trim(view_from(line, (size_t)mark + 1), " \t\"'"));
    return false;
}

/* The value of one key as a string; empty and false if there is none. */
static bool find_pair(const char *path, const char *key, char mark, char *out,
                      size_t cap)
{
    struct pair p = {key, mark, out, cap};
    out[0] = '\0';
    slurp_lines(path, take_pair, &p);
    return out[0] != '\0';
}

/* ---- the machine -------------------------------------------------------- */

static void copy(char *out, size_t cap, const char *in)
{
    bytes_to_str(out, cap, view_str(in));
}

static void find_cpu(struct port_facts *f)
{
    static const char *const keys[] = {"model name", "Hardware", "cpu model",
                                       "uarch", "Processor"};
    cpu_set_t set;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (find_pair("/proc/cpuinfo", keys[i], ':', f->cpu_model,
                      sizeof(f->cpu_model)))
            break;
    f->cpu_count = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        f->cpu_count = (uint32_t)CPU_COUNT(&set);
}

static void find_os(struct port_facts *f)
{
    struct utsname u;
    copy(f->os, sizeof(f->os), "linux");
    if (!find_pair("/etc/os-release", "PRETTY_NAME", '=', f->os_version,
                   sizeof(f->os_version)))
        find_pair("/usr/lib/os-release", "PRETTY_NAME", '=', f->os_version,
                  sizeof(f->os_version));
    if (uname(&u) == 0) {
        copy(f->kernel_version, sizeof(f->kernel_version), u.release);
        copy(f->architecture, sizeof(f->architecture), u.machine);
    }
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool is_container(void)
{
    char kind[32];
    return exists("/.dockerenv") || exists("/run/.containerenv") ||
           slurp_first("/run/systemd/container", kind, sizeof(kind)) ||
           port_env("container", kind, sizeof(kind));
}

static bool take_hypervisor(void *ctx, struct view line)
{
    static const char word[] = " hypervisor";
    bool *is_vm = ctx;
    if (!view_starts(line, view_str("flags")))
        return true;
    for (; line.len >= sizeof(word) - 1 && !*is_vm; line = view_from(line, 1))
        *is_vm = view_starts(line, view_str(word));
    return !*is_vm;
}

/* x86 processors say it; elsewhere the maker of the board does. */
static bool is_virtual(void)
{
    static const char *const makers[] = {"QEMU",         "KVM", "VMware, Inc.",
                                         "innotek GmbH", "Xen", "Amazon EC2",
                                         "Google"};
    char maker[32];
    bool is_vm = false;
    slurp_lines("/proc/cpuinfo", take_hypervisor, &is_vm);
    slurp_first("/sys/class/dmi/id/sys_vendor", maker, sizeof(maker));
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        is_vm = is_vm || strcmp(maker, makers[i]) == 0;
    return is_vm || exists("/sys/hypervisor/type");
}

/* SMBIOS chassis types (DSP0134, 7.4.1) of machines that people carry. */
static bool is_laptop(uint64_t chassis)
{
    return (chassis >= 8 && chassis <= 11) || chassis == 14 ||
           (chassis >= 30 && chassis <= 32);
}

static bool is_desktop(uint64_t chassis)
{
    return (chassis >= 3 && chassis <= 7) || chassis == 13 || chassis == 35;
}

static const char *device_type(void)
{
    uint64_t chassis = slurp_u64("/sys/class/dmi/id/chassis_type", 0);
    if (is_container())
        return "container";
    if (exists("/etc/openwrt_release"))
        return "router";
    if (is_virtual())
        return "vm";
    if (is_laptop(chassis))
        return "laptop";
    if (is_desktop(chassis))
        return "desktop";
    if (chassis == 0 && exists("/proc/device-tree/model"))
        return "embedded";
    return "server";
}

void port_facts(struct port_facts *out)
{
    struct sysinfo si;
    memset(out, 0, sizeof(*out));
    find_os(out);
    find_cpu(out);
    copy(out->device_type, sizeof(out->device_type), device_type());
    if (!slurp_first("/proc/device-tree/model", out->device_model,
                     sizeof(out->device_model)))
        slurp_first("/sys/class/dmi/id/product_name", out->device_model,
                    sizeof(out->device_model));
    if (sysinfo(&si) == 0) {
        out->total_ram = (uint64_t)si.totalram * si.mem_unit;
        out->uptime_seconds = (uint64_t)si.uptime;
    }
}

void port_boot_id(char *out, size_t cap)
{
    out[0] = '\0';
    (void)slurp_first("/proc/sys/kernel/random/boot_id", out, cap);
}
