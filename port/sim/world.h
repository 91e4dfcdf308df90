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
    ROLES_MAX = 192,   /* programs that ever ran in one world */
    HANDLES_MAX = 640, /* of one role */
    ROWS_MAX = 512,
    CONNS_MAX = 192,
    LISTENERS_MAX = 32,
    BACKLOG_MAX = 64,
    PROCS_MAX = 96, /* programs that roles started */
    FILES_MAX = 192,
    BUFFERS_MAX = 3 * PROCS_MAX,
    SHARED_MAX = PROCS_MAX,
    PASSES_MAX = 64, /* messages with handles, on their way */
    FLOWS_MAX = 2 * CONNS_MAX + 3 * PROCS_MAX + ROLES_MAX + BUFFERS_MAX,
    SEGS_MAX = 64,

    FLOW_CAP = 256 * 1024,
    BUFFER_CAP = 64 * 1024,
    SHARED_CAP = 2 * 1024 * 1024 + 4096,
    FILE_CAP = 16 * 1024,
    OUT_CAP = 4 * 1024 * 1024,
    ERR_CAP = 64 * 1024,
    LOG_CAP = 256 * 1024,
    HEARD_CAP = 256 * 1024,
    SAID_CAP = 8 * 1024 * 1024,
    NOTES_MAX = 4, /* of one role */
    PATH_MAX_ = 600,
    ARGS_CAP = 16 * 1024,
    ENV_CAP = 16 * 1024,
    ARGC_MAX = 600,

    TURN_US = 5,            /* what a turn costs; so a loop that spins shows */
    TURNS_PER_S = 40000,    /* more than that in a virtual second is spinning */
    REAL_S_MAX = 60,        /* a turn that takes longer hangs */
    RETRANSMIT_US = 200000, /* the first time; doubled at each try */
    SYN_AGAIN_US = 1000000,
    KEEP_ALIVE_US = 20000000, /* TCP asks a silent peer so often */
    TASK_US = 40000,          /* what a task takes, whatever it computes */
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
    uint64_t fin_us;   /* when the end arrives */
    uint64_t idle_us;  /* the line is busy until then */
    uint64_t stuck_us; /* what was lost is sent again then */
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
    int held[2];           /* handles of end i, or 1: it waits in a backlog */
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
    int held; /* handles */
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
    KIND_TASK, /* idx: which of the role's */
    KIND_SIGNAL,
    KIND_TTY,    /* idx: the child */
    KIND_CHILD,  /* idx: the child, end: which pipe */
    KIND_FILE,   /* idx, off */
    KIND_BUFFER, /* idx, end: 0 to read, 1 to write */
    KIND_SHARED, /* idx */
};

struct handle {
    enum kind kind;
    int idx;
    int end;
    uint64_t off;
    uint64_t at_us; /* RESOLVE, TASK: when the answer is there */
    uint16_t port;
    char host[64];
};

enum role_state {
    ROLE_NONE,
    ROLE_BORN, /* has no process yet: the driver makes it */
    ROLE_READY,
    ROLE_WAITING,
    ROLE_STRUCK, /* in a call that it will not survive; see sim_kill_at */
    ROLE_EXITED,
    ROLE_DEAD
};

struct role {
    enum role_state state;
    int id;
    int real_pid;
    bool is_spawned; /* by a role */
    int host;
    int status;
    bool frozen;
    struct sim_start how;
    char env[ENV_CAP];   /* strings, one behind the other, "" is the end */
    char args[ARGS_CAP]; /* the same */
    char line[160];      /* its arguments, for messages */
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
    int handles;                /* none is in use from here on */
    uint8_t mapped[SHARED_MAX]; /* how often */
    /* calls of the port; see sim_kill_at */
    uint64_t calls, kill_at;
    bool kill_after, struck;
    uint64_t out_free_us; /* its output takes bytes again then */
    size_t out_len, err_len, log_len;
    char why[256];
    uint32_t note[NOTES_MAX]; /* see sim_notes */
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
    int role; /* who started it; -1: that one is gone */
    int host;
    int pid;
    program_fn *step;
    char args[4][64];
    uint16_t rows, cols;
    int flow[3]; /* in, out, err; a terminal has the first two */
    int open[3]; /* handles of our end */
    int sig;     /* a signal that came */
    int status, by_signal;
    uint64_t wake_us;
    uint64_t count; /* the program's own */
    char text[256]; /* the same: a line being typed */
    size_t text_len;
    int inner; /* shell: what runs in the foreground */
};

/* ---- what outlives a role -------------------------------------------------------------------- */

struct buffer {
    int held[2]; /* handles of its ends; 0, 0: free */
    int flow;
};

struct shared {
    int held; /* handles and mappings; 0: free */
    size_t size;
    _Alignas(4096) uint8_t mem[SHARED_CAP];
};

/* Handles on their way, which hold what they stand for. They belong to the
 * bytes [off, off + len) towards end `end` of the connection. */
struct pass {
    bool used;
    int conn, end;
    uint64_t off, len;
    int count;
    struct handle handle[PORT_PASS_MAX];
};

/* ---- the world ------------------------------------------------------------------------------ */

enum file_kind { FILE_PLAIN, FILE_SOCKET, FILE_FOLDER };

struct file {
    char path[PATH_MAX_]; /* "": free */
    enum file_kind kind;
    size_t len;
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
    int children_ever[HOSTS_MAX];
    bool disk_full[HOSTS_MAX];
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
    uint64_t births;
    size_t heard_len, said_len;
    uint8_t heard[HEARD_CAP], said[SAID_CAP];
    int conns, procs; /* none was in use from here on */
    struct conn conn[CONNS_MAX];
    struct listener listener[LISTENERS_MAX];
    struct proc proc[PROCS_MAX];
    struct buffer buffer[BUFFERS_MAX];
    struct pass pass[PASSES_MAX];
    struct lock lock[FILES_MAX];
    struct file file[FILES_MAX]; /* looked through by name: no data between */
    uint8_t file_data[FILES_MAX][FILE_CAP];
    struct role role[ROLES_MAX];
    struct flow flow[FLOWS_MAX];
    struct shared shared[SHARED_MAX];
};

extern struct world *world;
extern struct role *me; /* the role this process is; NULL in the driver */
extern sim_main *world_entry;
extern sim_note_fn *world_note;

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
/* From one to the other, what is there and fits, at most n. */
size_t flow_move(struct flow *from, struct flow *to, size_t n);
uint64_t flow_next(const struct flow *f); /* when something arrives, or NEVER */
/* What was under way while nothing passed is sent again by TCP, at growing
 * distances from the first time: it arrives at the next of them. */
void flow_retransmit(struct flow *f);
uint64_t flow_next_try(uint64_t first_us, uint64_t step_us);

struct handle *handle_of(int handle); /* NULL when it is none */
int handle_new(enum kind kind, int idx, int end);
/* A second handle of the same thing, which now counts one more. */
struct handle handle_copy(const struct handle *h);
void handle_drop(struct handle *h);
uint8_t handle_ready(struct role *r, const struct port_want *row);

void net_settle(void);
uint64_t net_next(void);
void net_close(struct conn *c, int end);
void net_listener_close(struct listener *l);
void net_forget_path(const char *path);
int net_pair(int ends[2]);
size_t net_waiting(const struct conn *c, int end);
int net_recv(struct conn *c, int end, struct span buf);
int net_send(struct conn *c, int end, struct view buf);
uint8_t net_ready(const struct conn *c, int end);
int net_conn_over(const struct conn *c, int end); /* OK, or what it is told */

/* How it goes on with a connection's handles: what was read up to there no
 * longer carries any; all: none are read any more. */
void pass_drop_read(int conn, int end);
void pass_drop_all(int conn, int end);

int buffer_recv(struct buffer *b, struct span buf);
int buffer_send(struct buffer *b, struct view v);
uint8_t buffer_ready(const struct buffer *b, int end);
void buffer_close(struct buffer *b, int end);
void shared_drop(struct shared *s);
void shared_unmap_all(struct role *r);

/* In every call that does something: it is counted, and may be the one that a
 * test chose for the end of its role. Calls inside of calls count as one. */
int call_begin(void);
void call_end(int *call);
#define PORT_CALL() \
    __attribute__((cleanup(call_end), unused)) int call_ = call_begin()

/* A role: its process is made from the driver, runs from `go` until it hands
 * back, and is buried by the driver. */
void role_hand_back(void);
void role_wait_for_turn(void);
void role_fork(struct role *r);
void role_bury(struct role *r);

void procs_settle(void);
uint64_t procs_next(void);
void proc_close(struct proc *p, int end); /* the role let go of a pipe */
void proc_orphan(int role);               /* its role is gone */
program_fn *program_find(const char *name);
void proc_exit(struct proc *p, int status, int sig);

void task_drop(int idx); /* the role let go of it */

void keep_unlock(int role);
struct file *keep_find(const char *path);
uint8_t *file_data(const struct file *f);
int keep_room(void); /* on the disk of `me`: OK, or ERR_NO_SPACE */
int keep_put(const char *path, enum file_kind kind, struct view data);

bool outside_has(const char *path);
int outside_read(const char *path, struct span out);
int outside_write(const char *path, struct view data);
int outside_remove(const char *path);

#endif
