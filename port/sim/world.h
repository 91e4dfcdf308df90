/*
 * The inside of the simulated world; see sim.h. One struct in shared memory
 * at one address: pointers into it mean the same in every process, indices
 * are used where something comes and goes.
 */
#ifndef PORT_SIM_WORLD_H
#define PORT_SIM_WORLD_H

#include <semaphore.h>

#include "port/sim/sim.h"

enum {
    HOSTS_MAX = 16,
    ROLES_MAX = 48,    /* programs that ever ran in one world */
    HANDLES_MAX = 128, /* of one role */
    ROWS_MAX = 512,
    CONNS_MAX = 192,
    LISTENERS_MAX = 32,
    BACKLOG_MAX = 64,
    PROCS_MAX = 96, /* programs that roles started */
    FILES_MAX = 96,
    FLOWS_MAX = 2 * CONNS_MAX + 3 * PROCS_MAX + ROLES_MAX,
    SEGS_MAX = 64,

    FLOW_CAP = 256 * 1024,
    FILE_CAP = 16 * 1024,
    OUT_CAP = 4 * 1024 * 1024,
    ERR_CAP = 64 * 1024,
    LOG_CAP = 256 * 1024,
    PATH_MAX_ = 600,

    TURN_US = 5,         /* what a turn costs; so a loop that spins shows */
    TURNS_PER_S = 40000, /* more than that in a virtual second is spinning */
    REAL_S_MAX = 60,     /* a turn that takes longer hangs */
    RETRANSMIT_US = 250000,
    SYN_AGAIN_US = 1000000,
};

#define NEVER UINT64_MAX

/* ---- bytes on their way ------------------------------------------------------------ */

/*
 * One direction of a stream. Bytes are written at `sent`, arrive after a while
 * and are then read at `head`:
 *
 *       head        arrived         sent
 *        | readable    | under way    | room for cap - (sent - head)
 *   -----+=============+--------------+------------------->
 */
struct seg {
    uint64_t end; /* offset behind its last byte */
    uint64_t at_us;
};

struct flow {
    bool used;
    bool fin; /* nothing follows `sent` */
    uint32_t cap;
    uint64_t head, arrived, sent;
    uint64_t fin_us;  /* when the end arrives */
    uint64_t idle_us; /* the line is busy until then */
    struct seg seg[SEGS_MAX];
    uint32_t segs;
    uint8_t buf[FLOW_CAP];
};

/* ---- connections --------------------------------------------------------------------- */

enum conn_state { CONN_FREE, CONN_SYN, CONN_OPEN, CONN_REFUSED };

struct conn {
    enum conn_state state;
    bool local; /* by path: no network in between */
    int host[2];
    int flow[2];           /* towards end i */
    bool held[2];          /* end i has a handle, or waits in a backlog */
    uint64_t reset_us[2];  /* a reset reaches end i then */
    bool dead[2];          /* end i knows that it is over */
    int err[2];            /* what a dead end is told */
    uint64_t heard_us;     /* when anything passed last */
    uint64_t syn_us;       /* the call reaches the listener then */
    uint64_t answer_us;    /* and the caller knows */
    struct port_addr from; /* of end 0 */
    uint16_t port;
    char path[PATH_MAX_];
};

struct listener {
    bool used;
    int host;
    uint16_t port; /* 0: by path */
    uint8_t ip[16];
    char path[PATH_MAX_];
    int queue[BACKLOG_MAX];
    int queued;
};

/* ---- handles, roles -------------------------------------------------------------------- */

enum kind {
    KIND_NONE,
    KIND_STDIN,
    KIND_STDOUT,
    KIND_STDERR,
    KIND_CONN,     /* idx, end */
    KIND_LISTENER, /* idx */
    KIND_RESOLVE,
    KIND_SIGNAL,
    KIND_TTY,   /* idx: the child */
    KIND_CHILD, /* idx: the child, end: which pipe */
    KIND_FILE,  /* idx, off */
};

struct handle {
    enum kind kind;
    int idx;
    int end;
    uint64_t off;
    uint64_t at_us; /* RESOLVE: when the answer is there */
    uint16_t port;
    char host[64];
};

enum role_state { ROLE_NONE, ROLE_READY, ROLE_WAITING, ROLE_EXITED, ROLE_DEAD };

struct role {
    enum role_state state;
    int id;
    int real_pid;
    int host;
    int status;
    bool frozen;
    struct sim_start how;
    char env[8][256];
    char line[512];
    uint16_t rows, cols;
    bool raw;
    bool hung_up;
    int keys;         /* flow of its standard input */
    unsigned signals; /* pending, one bit each */
    uint64_t chance;  /* of port_entropy */
    uint64_t turns;
    uint64_t second; /* turns are counted in this one */
    uint64_t turns_in_second;
    sem_t go;
    /* port_wait, as it was called */
    struct port_want row[ROWS_MAX];
    size_t row_count;
    uint64_t until_ms;
    struct handle handle[HANDLES_MAX];
    uint64_t out_free_us; /* its output takes bytes again then */
    size_t out_len, err_len, log_len;
    char why[256];
    uint8_t out[OUT_CAP], err[ERR_CAP], log[LOG_CAP];
};

/* ---- programs that roles start ----------------------------------------------------------- */

struct proc;
/* Do what can be done now: read, write, end. Called whenever something may
 * have changed. */
typedef void program_fn(struct proc *p);

struct proc {
    bool used;
    bool is_tty;
    bool ended;
    bool reaped;
    int role; /* who started it */
    int host;
    int pid;
    program_fn *step;
    char args[4][64];
    uint16_t rows, cols;
    int flow[3];  /* in, out, err; a terminal has the first two */
    bool open[3]; /* the role still holds its end */
    int sig;      /* a signal that came */
    int status, by_signal;
    uint64_t wake_us;
    uint64_t count; /* the program's own */
    char text[256]; /* the same: a line being typed */
    size_t text_len;
    int inner; /* shell: what runs in the foreground */
};

/* ---- the world ------------------------------------------------------------------------------ */

struct file {
    char path[PATH_MAX_];
    size_t len;
    uint8_t data[FILE_CAP];
};

struct lock {
    char path[PATH_MAX_];
    int role; /* -1: free */
};

struct world {
    uint64_t now_us;
    uint64_t seed, chance, hash;
    sem_t back; /* the role that ran waits again */
    char trouble[512];
    char outside[64]; /* a real folder; see outside.c */
    /* network */
    int hosts;
    char host_name[HOSTS_MAX][32];
    int64_t wall_ahead_ms[HOSTS_MAX];
    bool cut_off[HOSTS_MAX][HOSTS_MAX];
    uint32_t latency_us, bytes_per_s;
    uint64_t tcp_dead_ms;
    uint16_t next_port;
    /* faults */
    int fault_role, fault_err;
    unsigned fault_calls;
    uint64_t fault_left; /* calls until it happens; 0: none */
    bool fault_on, fault_met;
    /* things */
    int roles, next_pid;
    struct conn conn[CONNS_MAX];
    struct listener listener[LISTENERS_MAX];
    struct proc proc[PROCS_MAX];
    struct lock lock[FILES_MAX];
    struct file file[FILES_MAX];
    struct role role[ROLES_MAX];
    struct flow flow[FLOWS_MAX];
};

extern struct world *world;
extern struct role *me; /* the role this process is; NULL in the driver */
extern sim_main *world_entry;

/* The seed of every later chance (splitmix64). */
uint64_t world_chance(uint64_t *state);
/* Something happened: it becomes part of the hash, and with SIM_TRACE set a
 * line on the driver's standard error. */
bool world_shows_trace(void);
void world_trace(const char *what, int64_t a, int64_t b, struct view bytes);
/* The first trouble is kept. */
void world_trouble(const char *who, const char *what);
/* Shall this call of `me` fail now? OK, or the error. */
int world_fault(enum sim_call call);
/* Remember why the last call failed; returns err. */
int world_why(int err, const char *what);

int flow_new(uint32_t cap);
void flow_free(int flow);
size_t flow_room(const struct flow *f);
/* Append at most room; arrives after `latency_us` at `bytes_per_s` (0: any). */
size_t flow_write(struct flow *f, struct view bytes, uint32_t latency_us,
                  uint32_t bytes_per_s);
void flow_end(struct flow *f, uint32_t latency_us);
size_t flow_read(struct flow *f, struct span out);
bool flow_is_over(const struct flow *f); /* all was read, and nothing follows */
void flow_forget(struct flow *f);        /* what is in it is gone */
void flow_settle(struct flow *f);
uint64_t flow_next(const struct flow *f); /* when something arrives, or NEVER */
/* Nothing arrives before then. */
void flow_delay(struct flow *f, uint64_t until_us);

struct handle *handle_of(int handle); /* NULL when it is none */
int handle_new(enum kind kind, int idx, int end);
void handle_drop(struct role *r, struct handle *h);
uint8_t handle_ready(struct role *r, const struct port_want *row);
/* The kernel's part when a process ended. */
void handles_drop(struct role *r);

void net_settle(void);
uint64_t net_next(void);
void net_close(struct conn *c, int end);
void net_listener_close(struct listener *l);
int net_recv(struct conn *c, int end, struct span buf);
int net_send(struct conn *c, int end, struct view buf);
uint8_t net_ready(const struct conn *c, int end);
int net_conn_over(const struct conn *c, int end); /* OK, or what it is told */

void procs_settle(void);
uint64_t procs_next(void);
void proc_close(struct proc *p, int end); /* the role let go of a pipe */
void proc_orphan(int role);               /* its role is gone */
program_fn *program_find(const char *name);
void proc_exit(struct proc *p, int status, int sig);

void keep_unlock(int role);

bool outside_has(const char *path);
int outside_read(const char *path, struct span out);
int outside_write(const char *path, struct view data);
int outside_remove(const char *path);

#endif
