/* The town; see town.h. */
#include "sim/town.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/verbs.h"
#include "cli/verbs.h"
#include "keeper/keeper.h"
#include "relay/verbs.h"
#include "sim/guest.h"

#define STORED_MAX (1024 * 1024)

struct town town;

static char folder[40]; /* the relay's store is a real file */

static const struct cmd *const table[] = {
    &server_cmd,   &join_cmd,   &agent_cmd,   &start_cmd, &stop_cmd,
    &restart_cmd,  &status_cmd, &connect_cmd, &exec_cmd,  &identity_cmd,
    &machines_cmd, &keeper_cmd, &guest_cmd,   NULL,
};

static int cmdop(int argc, char **argv)
{
    static const struct cmd_env env = {"sim", table};
    return cmd_main(&env, argc, argv);
}

void town_seed(uint64_t otherwise)
{
    const char *given = getenv("SEED");
    town.seed = given != NULL ? strtoull(given, NULL, 0) : otherwise;
    printf("# seed %llu\n", (unsigned long long)town.seed);
}

/* ---- beginning and end ------------------------------------------------------------- */

static bool is_dot(const struct dirent *e)
{
    return e->d_name[0] == '.';
}

static void remove_store(void)
{
    char path[400];
    struct dirent *e;
    DIR *d = opendir(folder);
    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (!is_dot(e))
            (void)unlink(path);
    }
    if (d != NULL)
        closedir(d);
}

void town_begin(uint64_t seed)
{
    sim_end();
    if (folder[0] == '\0') { /* best where nothing is synced */
        strcpy(folder, access("/dev/shm", W_OK) == 0
                           ? "/dev/shm/cmdop-sim-XXXXXX"
                           : "/tmp/cmdop-sim-XXXXXX");
        if (mkdtemp(folder) == NULL)
            abort();
    }
    remove_store();
    sim_begin(seed, cmdop);
    sim_outside(folder);
    town.relay_host = sim_host("relay");
    town.machine_host = sim_host("machine");
    town.desk_host = sim_host("desk");
    town.relay = town.agent = -1;
}

void town_end(void)
{
    sim_end();
    if (folder[0] == '\0')
        return;
    remove_store();
    (void)rmdir(folder);
    folder[0] = '\0';
}

int town_setup(void **state)
{
    (void)state;
    town_open(town.seed);
    return 0;
}

int town_teardown(void **state)
{
    (void)state;
    town_end();
    return 0;
}

void town_check(void)
{
    const char *trouble = sim_trouble();
    if (trouble[0] != '\0')
        fail_msg("%s", trouble);
}

/* ---- the relay ----------------------------------------------------------------------- */

#define RELAY_ENV                                                          \
    {                                                                      \
        "CMDOP_CONFIG_DIR=/sim/relay/config", "CMDOP_STATE_DIR=/sim/relay" \
    }
#define MACHINE_ENV                                                            \
    {                                                                          \
        "CMDOP_CONFIG_DIR=/sim/machine/config", "CMDOP_STATE_DIR=/sim/machine" \
    }
/* Whoever starts a relay is signed in there: the operator is that person, at
 * another desk. */
#define DESK_ENV                                                            \
    {                                                                       \
        "CMDOP_CONFIG_DIR=/sim/relay/config", "CMDOP_STATE_DIR=/sim/relay", \
            "CMDOP_RUNTIME_DIR=/sim/desk/run", "TERM=xterm"                 \
    }

static bool relay_listens(void *ctx)
{
    (void)ctx;
    return town_tells(sim_err(town.relay), "relay ready");
}

void town_spawn_relay(void)
{
    static const struct sim_start how = {.env = RELAY_ENV};
    char line[256];
    snprintf(line, sizeof(line),
             "cmdop server --state-dir %s --listen-grpc 10.0.0.1:50051 "
             "--address relay:50051 --max-connections 24",
             folder);
    town.relay = sim_spawn(town.relay_host, line, &how);
}

void town_start_relay(void)
{
    town_spawn_relay();
    bool listens = sim_run_until(relay_listens, NULL, 10000);
    town_check();
    if (!listens)
        print_message("relay: %.*s\n", (int)sim_err(town.relay).len,
                      (const char *)sim_err(town.relay).ptr);
    assert_true(listens);
}

bool town_is_online(void)
{
    return sim_logged(town.relay, "event=machine.online") >
           sim_logged(town.relay, "event=machine.offline");
}

static bool is_online(void *ctx)
{
    return town_is_online() == *(bool *)ctx;
}

bool town_wait_online(uint64_t ms_max)
{
    bool online = true;
    return sim_run_until(is_online, &online, ms_max);
}

bool town_wait_offline(uint64_t ms_max)
{
    bool online = false;
    return sim_run_until(is_online, &online, ms_max);
}

/* ---- the machine ------------------------------------------------------------------------ */

static void join_string(char *out, size_t cap)
{
    static const struct sim_start how = {.env = RELAY_ENV};
    char line[128];
    snprintf(line, sizeof(line), "cmdop server join-key --state-dir %s",
             folder);
    int role = sim_spawn(town.relay_host, line, &how);
    assert_int_equal(sim_wait(role, 10000), 0);
    struct view v = sim_out(role);
    assert_true(v.len > 20 && v.len < cap);
    memcpy(out, v.ptr, v.len - 1); /* without the line end */
    out[v.len - 1] = '\0';
}

void town_join_line(const char *name, char *line, size_t cap)
{
    char string[400];
    join_string(string, sizeof(string));
    snprintf(line, cap, "join --name %s %s", name, string);
}

void town_join(const char *name)
{
    char line[500];
    town_join_line(name, line, sizeof(line));
    int role = town_local(line, NULL);
    int status = sim_wait(role, MINUTE);
    town_check();
    if (status != 0)
        print_message("join: %.*s\n", (int)sim_err(role).len,
                      (const char *)sim_err(role).ptr);
    assert_int_equal(status, 0);
}

void town_start_agent(void)
{
    town.agent = town_local("agent start --foreground", NULL);
}

/* The verb's own connection ends before the agent's begins. */
void town_open(uint64_t seed)
{
    town_begin(seed);
    town_start_relay();
    town_join("web-1");
    assert_true(town_wait_offline(10000));
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    assert_true(town_is_online());
    town_check();
}

/* ---- the same town again ------------------------------------------------------------------ */

static struct stored {
    char name[64];
    size_t len;
    uint8_t *data;
} stored[16];
static int stored_count;

static void keep_one(const char *name)
{
    char path[400];
    struct stored *s = &stored[stored_count++];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(s->name, sizeof(s->name), "%s", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    s->data = malloc(STORED_MAX);
    assert_non_null(s->data);
    s->len = fread(s->data, 1, STORED_MAX, f);
    assert_true(s->len < STORED_MAX);
    fclose(f);
}

/* SQLite here is the relay's own, so another process looks. */
int town_rows(const char *of)
{
    char line[400];
    int rows = -1;
    snprintf(line, sizeof(line),
             "python3 -c 'import sqlite3; print(sqlite3.connect("
             "\"%s/server.db\").execute(\"select count(*) from %s\")"
             ".fetchone()[0])'",
             folder, of);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &rows), 1);
    assert_int_equal(pclose(f), 0);
    return rows;
}

static void keep_store(void)
{
    struct dirent *e;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL && stored_count < 16)
        if (!is_dot(e))
            keep_one(e->d_name);
    closedir(d);
}

static void store_back(void)
{
    char path[400];
    for (int i = 0; i < stored_count; i++) {
        const struct stored *s = &stored[i];
        snprintf(path, sizeof(path), "%s/%.60s", folder, s->name);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(s->data, 1, s->len, f), s->len);
        fclose(f);
        assert_int_equal(chmod(path, 0600), 0);
    }
}

/* Nobody runs any more: all there is of the town is in files. */
static void keep_town(void)
{
    town_open(1);
    sim_signal(town.agent, PORT_SIG_TERM);
    assert_int_equal(sim_wait(town.agent, 10000), 0);
    sim_signal(town.relay, PORT_SIG_TERM);
    assert_int_equal(sim_wait(town.relay, 10000), 0);
    keep_store();
    sim_files_keep();
}

void town_reopen(uint64_t seed)
{
    if (stored_count == 0)
        keep_town();
    town_begin(seed);
    store_back();
    sim_files_back();
    town_start_relay();
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    town_check();
}

/* ---- programs ------------------------------------------------------------------------------ */

static int spawn(int host, const char *line, const struct sim_start *how,
                 const char *const env[8])
{
    struct sim_start start = {.tty = false};
    char words[600];
    if (how != NULL)
        start = *how;
    memcpy(start.env, env, sizeof(start.env));
    snprintf(words, sizeof(words), "cmdop %s", line);
    return sim_spawn(host, words, &start);
}

int town_tool(const char *line, const struct sim_start *how)
{
    static const char *const env[8] = DESK_ENV;
    return spawn(town.desk_host, line, how, env);
}

int town_local(const char *line, const struct sim_start *how)
{
    static const char *const env[8] = MACHINE_ENV;
    return spawn(town.machine_host, line, how, env);
}

int town_run(const char *line, uint64_t ms_max)
{
    int role = town_tool(line, NULL);
    int status = sim_wait(role, ms_max);
    town_check();
    return status;
}

bool town_tells(struct view said, const char *words)
{
    return memmem(said.ptr, said.len, words, strlen(words)) != NULL;
}

void town_assert_produced(struct view got, size_t len)
{
    char line[9];
    assert_int_equal(got.len, len);
    for (size_t at = 0; at + 8 <= len; at += 8) {
        snprintf(line, sizeof(line), "%07u\n", (unsigned)(at % 10000000));
        if (memcmp(got.ptr + at, line, 8) != 0)
            fail_msg("output differs at %zu", at);
    }
}
