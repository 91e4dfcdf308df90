/* Clock, entropy, environment, facts, log and last words of a simulated
 * program; see port.h. */
#include "port/sim/world.h"

#include <assert.h>
#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

#define EPOCH_MS INT64_C(1800000000000) /* when every world begins: 2027 */

/* ---- clock and entropy ----------------------------------------------------------- */

/* The driver may ask as well: a property test takes its seed from it. */
uint64_t port_now_us(void)
{
    return world != NULL ? world->now_us : 0;
}

uint64_t port_now_ms(void)
{
    return port_now_us() / 1000;
}

int64_t port_wall_ms(void)
{
    int64_t ahead = me != NULL ? world->wall_ahead_ms[me->host] : 0;
    return EPOCH_MS + (int64_t)port_now_ms() + ahead;
}

void sim_wall(int host, int64_t ahead_ms)
{
    world->wall_ahead_ms[host] = ahead_ms;
    world_trace("wall", host, ahead_ms, VIEW_NONE);
}

void port_entropy(struct span out)
{
    PORT_CALL();
    for (size_t i = 0; i < out.len; i++)
        out.ptr[i] = (uint8_t)(world_chance(&me->chance) >> 32);
}

/* BearSSL asks the system for a seed on its own; here that must come from the
 * same place, or no two runs would be equal. */
static int seed_bearssl(const br_prng_class **ctx)
{
    uint8_t seed[32];
    port_entropy(SPAN_ARRAY(seed));
    (*ctx)->update(ctx, seed, sizeof(seed));
    return 1;
}

br_prng_seeder br_prng_seeder_system(const char **name)
{
    if (name != NULL)
        *name = "sim";
    return seed_bearssl;
}

/* ---- last words ---------------------------------------------------------------------- */

const char *port_why(void)
{
    return me != NULL ? me->why : "";
}

void port_log(struct view line)
{
    PORT_CALL();
    if (me == NULL || me->log_len + line.len + 2 > LOG_CAP)
        return;
    memcpy(me->log + me->log_len, line.ptr, line.len);
    me->log_len += line.len;
    me->log[me->log_len++] = '\n';
    me->log[me->log_len] = '\0';
    world_trace("log", 0, 0, line);
    if (world_shows_trace())
        fprintf(stderr, "%26s %d: %.*s\n", "role", me->id, (int)line.len,
                (const char *)line.ptr);
}

int port_log_open(const char *path)
{
    (void)path;
    return OK; /* it goes to the same place */
}

void port_fatal(const char *what)
{
    if (me != NULL)
        world_trouble(me->line, what);
    fprintf(stderr, "fatal: %s: %s\n", me != NULL ? me->line : "driver", what);
    abort();
}

/* Where the C library sends a failed assert. */
void __assert_fail(const char *what, const char *file, unsigned line,
                   const char *function)
{
    char text[400];
    snprintf(text, sizeof(text), "%s:%u: %s: %s", file, line, function, what);
    port_fatal(text);
}

/* ---- who and where --------------------------------------------------------------------- */

bool port_env(const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);
    for (const char *pair = me->env; *pair != '\0'; pair += strlen(pair) + 1) {
        if (strncmp(pair, name, len) != 0 || pair[len] != '=' ||
            strlen(pair + len + 1) >= cap)
            continue;
        strcpy(out, pair + len + 1);
        return true;
    }
    return false;
}

const char *port_home(void)
{
    return "/sim";
}

const char *port_username(void)
{
    return "sim";
}

const char *port_shell(void)
{
    return "/bin/sh";
}

uint32_t port_uid(void)
{
    return 1000;
}

int port_pid(void)
{
    return 1000 + me->id;
}

void port_hostname(char *out, size_t cap)
{
    snprintf(out, cap, "%s", world->host_name[me->host]);
}

void port_boot_id(char *out, size_t cap)
{
    snprintf(out, cap, "boot-of-%d", me->host);
}

void port_facts(struct port_facts *out)
{
    *out = (struct port_facts){.os = "sim",
                               .os_version = "1",
                               .kernel_version = "1",
                               .architecture = "paper",
                               .cpu_model = "slow",
                               .device_type = "server",
                               .cpu_count = 1,
                               .total_ram = 1 << 30};
}

void port_metrics(const char *disk_path, struct port_metrics *out)
{
    (void)disk_path;
    *out = (struct port_metrics){.cpu_usage = 12.5F,
                                 .memory_total = 1 << 30,
                                 .memory_free = 1 << 29,
                                 .disk_total = 1 << 30,
                                 .disk_free = 1 << 28,
                                 .uptime_seconds = world->now_us / 1000000,
                                 .process_count = 7,
                                 .battery_level = -1,
                                 .on_ac_power = true};
}

/* ---- this program's terminal ---------------------------------------------------------------- */

bool port_is_tty(int handle)
{
    return handle >= 0 && handle <= PORT_STDERR && me->how.tty;
}

int port_term_size(int handle, uint16_t *rows, uint16_t *cols)
{
    if (!port_is_tty(handle))
        return ERR_RANGE;
    *rows = me->rows;
    *cols = me->cols;
    return OK;
}

int port_term_raw(int handle)
{
    PORT_CALL();
    if (!port_is_tty(handle))
        return ERR_UNSUPPORTED;
    me->raw = true;
    return OK;
}

void port_term_restore(void)
{
    if (me != NULL)
        me->raw = false;
}

/* ---- processes, memory ------------------------------------------------------------------------ */

int port_daemon(void)
{
    return world_why(ERR_UNSUPPORTED, "use --foreground here");
}

void port_daemon_ready(struct view text, int status)
{
    (void)text;
    (void)status;
}

static struct role *role_of(int pid)
{
    int id = pid - 1000;
    if (id < 0 || id >= world->roles || !sim_alive(id))
        return NULL;
    return &world->role[id];
}

bool port_process_alive(int pid)
{
    return role_of(pid) != NULL;
}

int port_process_end(int pid)
{
    PORT_CALL();
    struct role *r = role_of(pid);
    if (r == NULL)
        return world_why(ERR_NOT_FOUND, "kill");
    sim_signal(r->id, PORT_SIG_TERM);
    return OK;
}

int port_process_reload(int pid)
{
    PORT_CALL();
    struct role *r = role_of(pid);
    if (r == NULL)
        return world_why(ERR_NOT_FOUND, "kill");
    sim_signal(r->id, PORT_SIG_RELOAD);
    return OK;
}

int port_reexec(const char *const *argv)
{
    (void)argv;
    return world_why(ERR_UNSUPPORTED, "exec");
}

int port_exec(const char *const *argv)
{
    (void)argv;
    return world_why(ERR_UNSUPPORTED, "exec");
}

struct span port_memory(size_t size)
{
    void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED)
        port_fatal("no memory");
    return (struct span){mem, size};
}

void port_memory_trim(void)
{
}

void port_memory_release(struct span mem)
{
    memset(mem.ptr, 0, mem.len);
}

int port_signal_open(void)
{
    PORT_CALL();
    for (int i = 0; i < HANDLES_MAX; i++)
        if (me->handle[i].kind == KIND_SIGNAL)
            return i;
    return handle_new(KIND_SIGNAL, 0, 0);
}

enum port_signal port_signal_take(void)
{
    PORT_CALL();
    for (int s = PORT_SIG_TERM; s <= PORT_SIG_CONT; s++)
        if ((me->signals & 1u << s) != 0) {
            me->signals &= ~(1u << s);
            return (enum port_signal)s;
        }
    return PORT_SIG_NONE;
}
