/*
 * The simulated world, as a test sees it: hosts joined by a network, programs
 * that run on them, and one clock that moves only when all of them wait.
 *
 *     test (driver)                         one role at a time
 *     sim_run --picks who may go on--> role's process: the real program,
 *        ^                             unmodified, up to its next port_wait
 *        +---------- hands back -------+
 *
 * Every role is a forked process, so each has statics, libraries and a stack
 * of its own, and killing one is what it is elsewhere. All that lies between
 * them (sockets, terminals, files, clock, chance) is one block of memory that
 * they share with the driver; exactly one process runs at a time, so nothing
 * in it needs a lock and the same seed gives the same run.
 */
#ifndef PORT_SIM_SIM_H
#define PORT_SIM_SIM_H

#include "base/bytes.h"
#include "port/port.h"

/* ---- the world ------------------------------------------------------------- */

/* What every program starts in: the table of verbs, for example. Returns the
 * exit status. */
typedef int sim_main(int argc, char **argv);

/* A new world at time 0 with no hosts; an old one ends. */
void sim_begin(uint64_t seed, sim_main *entry);
/* End every program and give the memory back. */
void sim_end(void);

/* The hash of everything that happened so far: equal for equal runs. */
uint64_t sim_hash(void);
uint64_t sim_now_ms(void);
/* A number from 0 to n - 1, from the world's own chance. */
uint32_t sim_roll(uint32_t n);

/* ---- hosts and their network -------------------------------------------------- */

/* A machine with this name; its address is 10.0.0.<number>, the first has 1.
 * Returns its number. "localhost" and 127.0.0.1 are a host's own. */
int sim_host(const char *name);

/* How long a byte travels between any two hosts, and how many go per second. */
void sim_network(uint32_t latency_us, uint32_t bytes_per_s);
/* Between two hosts nothing arrives any more, or again. Connections stay up
 * and time out; see sim_tcp_dead. */
void sim_partition(int a, int b, bool is_cut_off);
/* After how long without an answer the kernel gives a connection up; 0:
 * never (as behind a box that answers keep-alives itself). Default 45 s. */
void sim_tcp_dead(uint64_t ms);
/* Reset every connection between the two now, as a rebooted router does. */
void sim_reset(int a, int b);
/* Move a host's wall clock, relative to the true time. */
void sim_wall(int host, int64_t ahead_ms);

/* ---- roles ----------------------------------------------------------------------- */

/* What a program is started with; zeros are fine. */
struct sim_start {
    const char *env[8]; /* "NAME=value", NULL-ended */
    bool tty;           /* standard streams are a terminal of 80 x 24 */
    bool open_stdin;    /* keys come later: sim_type; else it is at its end */
    uint32_t out_rate;  /* bytes per second its output takes; 0: any */
};

/*
 * Start a program on a host: `line` is split at spaces into its arguments
 * ("cmdop agent start --foreground"). Returns the role's number; it runs when
 * the driver runs.
 */
int sim_spawn(int host, const char *line, const struct sim_start *how);

/* How many roles there are, numbered from 0: roles start roles as well
 * (port_self_spawn), on their own host; their numbers are used again. And how
 * one was started, in short. */
int sim_roles(void);
const char *sim_line(int role);

bool sim_alive(int role);
int sim_status(int role); /* exit status; -1: it runs, or was killed */
/* Keys for its standard input; and the end of it. */
void sim_type(int role, struct view keys);
void sim_type_end(int role);
/* Its terminal changes its size (and tells it), or goes away. */
void sim_resize(int role, uint16_t rows, uint16_t cols);
void sim_hang_up(int role);
/* Its output takes so many bytes per second from now on; 0: any number. */
void sim_out_rate(int role, uint32_t bytes_per_s);
bool sim_is_raw(int role); /* its terminal is in raw mode */
/* Everything it wrote so far; a view into the world. */
struct view sim_out(int role);
struct view sim_err(int role);
struct view sim_log(int role); /* what went to port_log, line by line */
/* How often a text stands in its log. */
size_t sim_logged(int role, const char *text);

void sim_signal(int role, enum port_signal sig);
/* End it without a word, as SIGKILL or the power does. */
void sim_kill(int role);
/* It gets no turns until it is thawed. */
void sim_freeze(int role, bool is_frozen);
/* Sessions and jobs that live on a host; and all that ever did. */
int sim_children(int host);
int sim_children_ever(int host);
/* Byte i of what the program `scribe` wants to hear. */
uint8_t sim_dictation(uint64_t i);
/* What the inner program `hear` of any shell was given, key by key, since the
 * world began. */
struct view sim_heard(void);
/* What all programs on terminals wrote to them since the world began. */
struct view sim_said(void);

/* ---- running ---------------------------------------------------------------------- */

/* Let time pass. */
void sim_run(uint64_t ms);
/* The same until the fact holds; false when it never did. */
typedef bool sim_fact(void *ctx);
bool sim_run_until(sim_fact *fact, void *ctx, uint64_t ms_max);
/* Until it ended; its status, or -1 when it still runs. */
int sim_wait(int role, uint64_t ms_max);
bool sim_wait_log(int role, const char *text, uint64_t ms_max);
bool sim_wait_out(int role, const char *text, uint64_t ms_max);
/* How often a role waited since it started: an idle one hardly does. */
uint64_t sim_turns(int role);
/*
 * Numbers about the inside of a role: `fn` is called in its process whenever
 * it waits, and may leave some; sim_note tells the last ones. For all worlds
 * that begin later; NULL: nobody asks.
 */
typedef void sim_note_fn(uint32_t note[4]);
void sim_notes(sim_note_fn *fn);
uint32_t sim_note(int role, int i);

/*
 * What is never right, whatever a test does; "" while all is well. A role that
 * crashed, hung in real time, or turned its loop without time passing.
 */
const char *sim_trouble(void);

/* ---- faults ------------------------------------------------------------------------ */

enum sim_call {
    SIM_RECV = 1,
    SIM_SEND = 2,
    SIM_DIAL = 4,
    SIM_ACCEPT = 8,
    SIM_KEEP = 16,
    SIM_SPAWN = 32,
    SIM_RESOLVE = 64,
    SIM_LISTEN = 128,
    SIM_MOVE = 256,
    SIM_SHARED = 512, /* shared memory, buffers, handles in messages */
    SIM_TASK = 1024,
    SIM_ANY = 2047,
};

/* The n-th call of these kinds by `role` (-1: any role) from now on fails
 * with `err`, counted from 1; for ever: all later ones too. 0: none. */
void sim_fault(int role, unsigned calls, uint64_t nth, bool for_ever, int err);
/* Did it happen? */
bool sim_fault_met(void);

/*
 * End a role, as sim_kill does, at its n-th call of the port from now on:
 * before the call has done anything, or after it has done everything; it never
 * returns. Every call counts, but those that only ask (clock, names,
 * environment). 0: no longer.
 */
void sim_kill_at(int role, uint64_t nth, bool after);
/* Did that end it? */
bool sim_struck(int role);

/* ---- files ------------------------------------------------------------------------- */

/* Nothing new fits the host's disk: neither files nor folders nor sockets. */
void sim_disk_full(int host, bool is_full);

/* A file of the store that all hosts share (their paths differ); empty when
 * there is none. */
struct view sim_file(const char *path);
void sim_file_put(const char *path, struct view data);
/* Remember all files as they are; a later world begins with them. */
void sim_files_keep(void);
void sim_files_back(void);
/* Files below this folder are those of the real disk: SQLite opens its
 * database itself. */
void sim_outside(const char *folder);

#endif
