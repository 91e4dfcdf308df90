/*
 * Roles: how a program begins and ends, and where it may be struck down. The
 * driver forks them all, also those that a role starts: a child of a child
 * would inherit a program in the middle of its work.
 */
#include "port/sim/world.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

/* ---- lists of strings --------------------------------------------------------------- */

static bool add(char *list, size_t cap, size_t *len, const char *s)
{
    size_t n = strlen(s) + 1;
    if (*len + n + 1 > cap)
        return false;
    memcpy(list + *len, s, n);
    *len += n;
    list[*len] = '\0';
    return true;
}

static bool add_all(char *list, size_t cap, const char *const *strings)
{
    size_t len = 0;
    for (int i = 0; strings[i] != NULL; i++)
        if (!add(list, cap, &len, strings[i]))
            return false;
    return true;
}

static void split_words(char *list, size_t cap, const char *line)
{
    size_t len = 0;
    char word[1024];
    while (*line != '\0') {
        size_t n = strcspn(line, " ");
        snprintf(word, sizeof(word), "%.*s", (int)n, line);
        if (n > 0 && !add(list, cap, &len, word))
            assert(!"a line is too long");
        line += n + (line[n] == ' ');
    }
}

static int list_to_argv(char *list, char **argv, int max)
{
    int n = 0;
    for (char *s = list; *s != '\0' && n < max - 1; s += strlen(s) + 1)
        argv[n++] = s;
    argv[n] = NULL;
    return n;
}

/* ---- a role's side ------------------------------------------------------------------ */

void role_hand_back(void)
{
    sem_post(&world->back);
}

void role_wait_for_turn(void)
{
    while (sem_wait(&me->go) < 0 && errno == EINTR)
        continue;
}

void port_exit(int status)
{
    port_term_restore();
    me->status = status;
    me->state = ROLE_EXITED;
    role_hand_back();
    for (;;) /* the driver buries us; leak checks are for the driver */
        _exit(0);
}

static _Noreturn void live(struct role *r)
{
    static char args[ARGS_CAP];
    static char *argv[ARGC_MAX];
    me = r;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_DFL);
    role_wait_for_turn();
    memcpy(args, r->args, sizeof(args));
    int argc = list_to_argv(args, argv, ARGC_MAX);
    port_exit(world_entry(argc, argv));
}

/* ---- struck down -------------------------------------------------------------------- */

static int depth; /* of calls inside of calls, in this process */

static _Noreturn void fall(void)
{
    me->state = ROLE_STRUCK;
    me->struck = true;
    role_hand_back();
    for (;;) /* until the driver comes */
        pause();
}

int call_begin(void)
{
    if (me == NULL || depth++ > 0)
        return 0;
    me->calls++;
    if (me->calls == me->kill_at && !me->kill_after)
        fall();
    return 0;
}

void call_end(int *call)
{
    (void)call;
    if (me == NULL || --depth > 0)
        return;
    if (me->calls == me->kill_at && me->kill_after)
        fall();
}

void sim_kill_at(int role, uint64_t nth, bool after)
{
    struct role *r = &world->role[role];
    r->kill_at = nth > 0 ? r->calls + nth : 0;
    r->kill_after = after;
}

bool sim_struck(int role)
{
    return world->role[role].struck;
}

/* ---- beginning ------------------------------------------------------------------------ */

/* Tests hold the numbers of what they started; the others' come again. */
static struct role *free_role(void)
{
    for (int i = 0; i < world->roles; i++) {
        struct role *r = &world->role[i];
        if (!r->is_spawned || r->real_pid != 0 ||
            (r->state != ROLE_EXITED && r->state != ROLE_DEAD))
            continue;
        flow_free(r->keys);
        sem_destroy(&r->go);
        memset(r, 0, offsetof(struct role, out));
        r->id = i;
        return r;
    }
    if (world->roles == ROLES_MAX)
        return NULL;
    world->role[world->roles].id = world->roles;
    return &world->role[world->roles++];
}

static struct role *role_new(int host)
{
    struct role *r = free_role();
    if (r == NULL)
        return NULL;
    r->host = host;
    r->status = -1;
    r->rows = 24;
    r->cols = 80;
    r->chance = world->seed * 1000003 + world->births++;
    r->keys = flow_new(FLOW_CAP);
    for (int i = 0; i <= PORT_STDERR; i++)
        r->handle[i].kind = (enum kind)(KIND_STDIN + i);
    r->handles = PORT_STDERR + 1;
    sem_init(&r->go, 1, 0);
    r->state = ROLE_BORN;
    return r;
}

static void note_line(struct role *r)
{
    size_t len = 0;
    for (char *s = r->args; *s != '\0'; s += strlen(s) + 1) {
        len += (size_t)snprintf(r->line + len, sizeof(r->line) - len, "%s%s",
                                len > 0 ? " " : "", s);
        if (len >= sizeof(r->line))
            return;
    }
}

/* Not into the world: the child would write there too. */
void role_fork(struct role *r)
{
    world_trace("start", r->id, r->host, VIEW_NONE); /* not its paths */
    r->state = ROLE_READY;
    fflush(NULL);
    int pid = fork();
    if (pid == 0)
        live(r);
    assert(pid > 0);
    r->real_pid = pid;
}

int sim_spawn(int host, const char *line, const struct sim_start *how)
{
    static const struct sim_start plain;
    assert(host < world->hosts);
    struct role *r = role_new(host);
    assert(r != NULL);
    r->how = how != NULL ? *how : plain;
    (void)add_all(r->env, ENV_CAP, r->how.env);
    split_words(r->args, ARGS_CAP, line);
    note_line(r);
    if (!r->how.open_stdin)
        flow_end(&world->flow[r->keys], 0);
    role_fork(r);
    return r->id;
}

int port_self_spawn(const struct port_spawn *what, int conn)
{
    PORT_CALL();
    struct handle *h = handle_of(conn);
    int err = world_fault(SIM_SPAWN);
    if (err != OK)
        return err;
    struct role *r = h != NULL ? role_new(me->host) : NULL;
    if (r == NULL)
        return world_why(h == NULL ? ERR_RANGE : ERR_LIMIT, "start");
    bool fits = add_all(r->args, ARGS_CAP, what->argv);
    if (what->env == NULL)
        memcpy(r->env, me->env, sizeof(r->env));
    else
        fits = add_all(r->env, ENV_CAP, what->env) && fits;
    note_line(r);
    r->is_spawned = true;
    if (!fits) {
        r->state = ROLE_DEAD;
        return world_why(ERR_TOO_BIG, "start");
    }
    r->handle[PORT_STDIN] = handle_copy(h);
    world_trace("self", r->id, conn, VIEW_NONE);
    return OK;
}

int sim_roles(void)
{
    return world->roles;
}

const char *sim_line(int role)
{
    return world->role[role].line;
}

/* ---- end -------------------------------------------------------------------------------- */

void role_bury(struct role *r)
{
    while (r->real_pid > 0 && waitpid(r->real_pid, NULL, 0) < 0 &&
           errno == EINTR)
        continue;
    r->real_pid = 0;
    keep_unlock(r->id);
    for (int i = 0; i < r->handles; i++)
        handle_drop(&r->handle[i]);
    shared_unmap_all(r);
    proc_orphan(r->id);
}

void sim_kill(int role)
{
    struct role *r = &world->role[role];
    if (!sim_alive(role) && r->state != ROLE_STRUCK)
        return;
    world_trace("kill", role, 0, VIEW_NONE);
    if (r->real_pid > 0)
        kill(r->real_pid, SIGKILL);
    r->state = ROLE_DEAD;
    role_bury(r);
}
