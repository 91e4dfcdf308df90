/*
 * The one contract with a platform. A port implements every function of the
 * groups it announces; a missing one is a link error. One port per binary.
 *
 * Common rules: nothing here blocks unless its comment says so. A handle is a
 * small non-negative integer. From port_recv and port_send, 0 means "nothing
 * now" and a closed peer is ERR_CLOSED. Every other failure is a negative
 * code of base/err.h; port_why() then names the operating system's reason.
 * One thread calls all of this.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "base/bytes.h"
#include "limits.h"

/* ---- clock and entropy -------------------------------------------------- */

uint64_t port_now_ms(void); /* monotonic, never goes back */
uint64_t port_now_us(void); /* the same clock, for measuring */
int64_t port_wall_ms(void); /* Unix time in ms; may jump */

/* Fill `out` with unpredictable bytes; stops the program if it cannot. */
void port_entropy(struct span out);

/* ---- last words --------------------------------------------------------- */

/* The reason the operating system gave for the last failure, for people, as
 * in "connect: Connection refused". Valid until the next failure. */
const char *port_why(void);

/* Write one line to the program's log sink (standard error until
 * port_log_open). `line` has no line feed. A sink that takes nothing now
 * loses the line. */
void port_log(struct view line);
/* Append to `path` (made with mode 0600); again, to follow a rotation. When it
 * has PORT_LOG_MAX bytes it becomes "path.1", in whose place another one was,
 * and a new one is begun. */
#define PORT_LOG_MAX (2 * 1024 * 1024)
int port_log_open(const char *path);

/* Print what went wrong, restore the terminal and abort. A failed assert
 * ends here as well. */
_Noreturn void port_fatal(const char *what);
/* End the program in an orderly way, from anywhere. */
_Noreturn void port_exit(int status);

/* ---- waiting ------------------------------------------------------------ */

enum port_want_flags {
    PORT_READ = 1,
    PORT_WRITE = 2,
    PORT_HANGUP = 4, /* ready only: the peer is gone or the handle is bad */
};

/*
 * One row of the wait table. handle < 0 is an empty row; a handle stands in
 * one row only. With PORT_HANGUP, `ready` has all of `want` as well, so that
 * the next recv or send tells the reason. A hang-up is told in every turn
 * until the row changes: who cannot act on it empties the row.
 */
struct port_want {
    int handle;
    uint8_t want;    /* PORT_READ | PORT_WRITE; 0: only hang-up is told */
    uint8_t ready;   /* written by port_wait */
    uint16_t serial; /* raised by the owner whenever `handle` is replaced */
};

#define PORT_FOREVER UINT64_MAX

/*
 * Wait until a row is ready, a signal came or the clock reaches `until_ms`
 * (0 returns at once, PORT_FOREVER has no deadline), never before that.
 * Returns the number of ready rows, 0 on time-out or interruption; `ready` is
 * written in every row. The table must be the same array in every call (a
 * large one is mirrored into epoll and compared); n may change.
 * Blocks: this is the only place where the program sleeps.
 */
int port_wait(struct port_want *table, size_t n, uint64_t until_ms);

/*
 * Signals become readable: a handle that is ready to read when one of the
 * listed events happened; port_signal_take returns one event or 0. What this
 * program was started to ignore (nohup) stays ignored. The handle stays open
 * until the program ends; a second open returns it again.
 */
enum port_signal {
    PORT_SIG_NONE = 0,
    PORT_SIG_TERM,   /* leave in an orderly way (TERM, INT, HUP, QUIT) */
    PORT_SIG_RELOAD, /* read the configuration again, reopen the log (USR1) */
    PORT_SIG_CHILD,  /* a child ended; call port_child_reap */
    PORT_SIG_RESIZE, /* the terminal of this program changed its size */
    PORT_SIG_CONT,   /* continued after a stop */
};
int port_signal_open(void); /* returns the handle */
enum port_signal port_signal_take(void);

/* ---- network ------------------------------------------------------------ */

/* A numeric address: 16 bytes IPv6 (IPv4 as ::ffff:a.b.c.d) and a port. */
struct port_addr {
    uint8_t ip[16];
    uint16_t port;
    uint32_t scope; /* IPv6 zone, 0 = none */
};

/* Text to address, without look-up: "1.2.3.4", "::1". ERR_RANGE otherwise. */
int port_addr_parse(const char *host, uint16_t port, struct port_addr *out);
/* "1.2.3.4:80", "[::1]:80"; PORT_ADDR_CAP bytes are enough. */
#define PORT_ADDR_CAP 64
void port_addr_print(const struct port_addr *a, char *out, size_t cap);

/*
 * Look a name up without blocking: starts a short-lived child; the handle
 * becomes readable when the answer is there. port_resolve_take returns the
 * number of addresses (at most `max`), 0 when it is not ready, ERR_NAME when
 * there are none; it closes the handle unless it returns 0. Addresses
 * alternate between the families, IPv6 first. port_close gives up a look-up.
 * ERR_LIMIT: too many look-ups at once (8). Numeric addresses and "localhost"
 * are answered without a child.
 */
int port_resolve(const char *host, uint16_t port);
int port_resolve_take(int handle, struct port_addr *out, int max);

/* Start to connect; the handle is writable when it ended and port_dial_done
 * tells how: OK, ERR_REFUSED, ERR_UNREACHABLE, ERR_TIMEOUT, or ERR_MORE when
 * it has not ended. TCP has NODELAY, keep-alive and a small unsent low-water
 * mark. port_dial may know a failure at once. */
int port_dial(const struct port_addr *to);
int port_dial_done(int handle);

/* Listen on a TCP address ("::" takes IPv4 as well); the port that was bound
 * comes back in *port (may be NULL). ERR_EXISTS when the address is in use.
 * Also asks the system for as many handles as this process may have. */
int port_listen(const struct port_addr *at, uint16_t *port);

/* A connection from the queue, or ERR_MORE when there is none now, or
 * ERR_LIMIT when the process has no more handles: the listener then stays
 * ready, so want nothing of it until a handle was closed. `from` may be NULL;
 * a local peer has no address (zeros). */
int port_accept(int listener, struct port_addr *from);

/*
 * Local stream sockets by path, of any length. The listener makes the file
 * with mode 0600 in a folder as port_keep_folder makes and checks it, and
 * replaces a socket that nobody listens to; ERR_EXISTS when somebody does.
 * A dial is connected when it returns: ERR_NOT_FOUND (or what is there is no
 * socket), ERR_REFUSED (a left-over socket), ERR_DENIED, ERR_BUSY (the
 * listener's queue is full).
 */
int port_local_listen(const char *path);
int port_local_dial(const char *path);
/* Is the peer of a local connection the same user as we (or root)? */
bool port_local_same_user(int handle);

/* Sockets, pipes and terminals. The count of bytes, 0 for "nothing now",
 * ERR_CLOSED (end of stream, reset, hung-up terminal), or another code. An
 * empty buf gives 0. Closing -1 does nothing. */
int port_recv(int handle, struct span buf);
int port_send(int handle, struct view buf);
/* How long nothing came from the far system on a TCP connection, not even an
 * acknowledgement; where nobody speaks, TCP asks it every 20 seconds.
 * ERR_UNSUPPORTED where that cannot be told. */
int port_silent_ms(int handle);
/*
 * How many bytes a TCP connection is to be given now: with those that it holds
 * unsent no more than its path takes within a moment, as what lies there can
 * neither be overtaken nor dropped. 0: none, until it is ready for PORT_WRITE,
 * which waits for the same bound from now on. Where nothing is known of the
 * path, plenty.
 */
int port_send_room(int handle);
void port_close(int handle);

/* ---- work that takes long ------------------------------------------------- */

/*
 * Have a pure function computed without holding up the loop: a short-lived
 * child calls it with a copy of `arg`, so the caller may wipe or change what
 * lies there as soon as port_task returns. `work` calls nothing of the port;
 * it may allocate. It writes its answer, at most PORT_TASK_ANSWER_MAX bytes,
 * and returns its length, above 0, or a code.
 *
 * The handle becomes readable when the answer is there. port_task_take
 * returns its length; 0 when it is not ready; the code of `work`; ERR_IO: the
 * child died, or took longer than half a minute. It closes the handle unless
 * it returns 0. port_close gives a task up, and ends its child.
 * ERR_LIMIT: PORT_TASKS_MAX are on their way. ERR_UNSUPPORTED: this platform
 * can only compute inline, and the caller decides whether it will.
 */
#define PORT_TASK_ANSWER_MAX 256
typedef int port_task_fn(const void *arg, struct span out);
int port_task(port_task_fn *work, const void *arg);
int port_task_take(int handle, struct span out);

/* ---- terminal of a session (PORT_HAS_TTY) ------------------------------- */

struct port_spawn {
    const char *const *argv; /* NULL-ended; argv[0] is looked up in PATH */
    const char *const *env;  /* NULL-ended list of NAME=value: the whole.
                                NULL: what this program itself has */
    const char *cwd;         /* NULL: the home folder, or / without one */
    bool login;              /* argv[0] is announced with a leading '-' */
};

struct port_child {
    int pid;
    int tty; /* PTY master, or -1 */
    int in;  /* pipe to its standard input, or -1 */
    int out; /* pipe from its standard output, or -1 */
    int err; /* pipe from its standard error, or -1 */
};

/*
 * Start a program on a new terminal of the given size, or on three pipes and
 * without a terminal; in a session and a process group of its own. Signals,
 * mask and descriptors of the child are clean, its umask is 022. PATH is that
 * of the child; relative names start in its cwd. No shell is ever involved: a
 * script without "#!" is refused. Returns once the program runs.
 * ERR_NOT_FOUND: no such program; ERR_DENIED: it may not be executed;
 * ERR_RANGE: cwd cannot be entered; ERR_LIMIT: no more processes or handles;
 * other codes: port_why(). On failure nothing is left open.
 */
int port_tty_spawn(const struct port_spawn *what, uint16_t rows, uint16_t cols,
                   struct port_child *out);
int port_pipe_spawn(const struct port_spawn *what, struct port_child *out);
int port_tty_resize(int tty, uint16_t rows, uint16_t cols);
/* Is there one among these keys at which the terminal, as its modes are now,
 * interrupts what runs on it and throws away what waits to be shown? */
bool port_tty_flushes(int tty, struct view keys);

/* Send a signal by its short name ("INT", "TERM", "KILL", "HUP", ...) to the
 * process group of the child. ERR_RANGE for an unknown name, ERR_NOT_FOUND
 * when the group is gone. Only before the child was reaped. */
int port_child_signal(int pid, const char *name);
bool port_signal_known(const char *name);

/* One ended child: its pid, or 0 when there is none now. *status is the exit
 * status and *signal 0, or 128 + n and n when signal n ended it. A program
 * that is PID 1 also meets children it did not start. */
int port_child_reap(int *status, int *signal);

/* ---- what outlives a process (PORT_HAS_KEEPERS) -------------------------- */

/* Zeroed memory that other processes may map; its size is fixed for ever.
 * Returns its handle; the memory is mapped until port_shared_unmap, whatever
 * becomes of the handle. */
int port_shared_new(size_t size, struct span *mem);
/* The whole of a block that somebody else made. ERR_RANGE: it is none, or
 * its size could still change. */
int port_shared_map(int handle, struct span *mem);
void port_shared_unmap(struct span mem);

/* A place where bytes wait in order and survive the process that put them
 * there, as long as anybody has it open: bytes go in at ends[1] and come out
 * at ends[0]. About 64 KiB fit. */
int port_buffer_open(int ends[2]);
/* How many bytes wait. Only exact while nobody else uses the buffer. */
int port_buffer_held(int end);
/*
 * Move up to n bytes from one handle to another, of which one is a buffer, in
 * one step: a process that is killed has moved them or not. Returns as
 * port_recv and port_send do: the count, 0 for "nothing now", a code.
 */
int port_move(int from, int to, size_t n);

/* Two ends of a local connection. */
int port_local_pair(int ends[2]);
/* Send a few bytes (at most 64, and no more wait to be read) together with
 * copies of `n` handles (at most PORT_PASS_MAX); the receiver gets both in one
 * port_pass_recv. As port_send and port_recv; *n is how many came. */
#define PORT_PASS_MAX 16
int port_pass_send(int conn, struct view bytes, const int *handles, int n);
int port_pass_recv(int conn, struct span bytes, int *handles, int *n);

/* Start this program again (never by PATH) as a process of its own session,
 * with `conn` as standard input and nothing as standard output and error.
 * what->argv[0] is only a name. As port_pipe_spawn otherwise; the pid is not
 * told: whoever reaps children meets one that nobody knows. */
int port_self_spawn(const struct port_spawn *what, int conn);

/* Call `each` with the name of every entry of a folder but "." and "..". OK,
 * or ERR_NOT_FOUND, ... */
int port_folder_list(const char *path, void (*each)(void *, const char *),
                     void *ctx);

/* ---- terminal of this program ------------------------------------------- */

#define PORT_STDIN  0
#define PORT_STDOUT 1
#define PORT_STDERR 2

bool port_is_tty(int handle);
/* ERR_RANGE when the terminal does not know its size. */
int port_term_size(int handle, uint16_t *rows, uint16_t *cols);
/* Raw mode, and the way back (also done at every orderly exit and by
 * port_fatal). Calling restore twice is harmless. */
int port_term_raw(int handle);
void port_term_restore(void);
/*
 * Make an inherited handle (a pipe, a terminal, a socket) safe to use with
 * port_recv and port_send. The non-blocking flag belongs to the open file,
 * which the shell that started us shares; so a pipe or a terminal is opened
 * anew and put under the same number, and the flag stays our own. Where that
 * cannot be done the shared flag is set and taken back at exit and in
 * port_fatal. Regular files are left alone: they always count as ready.
 * Call it before the handle is given to port_wait.
 */
int port_handle_nonblock(int handle);
/* Can port_wait tell about it? Regular files: no, read them directly. */
bool port_handle_waits(int handle);

/* ---- whole records and private folders ---------------------------------- */

/*
 * Read a whole file into `out`; returns its length. ERR_NOT_FOUND,
 * ERR_TOO_BIG, ERR_DENIED (also when it is not a regular file). With
 * `secret`, refuses (ERR_DAMAGED, port_why says it) a file that group or
 * others may read, or that belongs to somebody else than us or root.
 */
int port_keep_read(const char *path, bool secret, struct span out);
/* Replace a file atomically: new file with mode 0600, synced, renamed over,
 * folder synced. On failure the old file is untouched; or, if only the folder
 * could not be synced, the new one is there. ERR_NO_SPACE, ... */
int port_keep_write(const char *path, struct view data);
/* The same without the syncs, for status files that may be lost. */
int port_keep_write_fast(const char *path, struct view data);
int port_keep_remove(const char *path); /* ERR_NOT_FOUND if it is not there */
/* Open a file to read it with port_recv, piece by piece: ERR_CLOSED is its
 * end for now, a later port_recv goes on where it has grown. ERR_NOT_FOUND:
 * nothing has that name; a socket cannot be opened, but is there. */
int port_file_open(const char *path);
/* Is this still the file of that path, or is another one there by now? */
bool port_file_is(int handle, const char *path);
/* Make a folder and its parents, 0700, owned by this user. ERR_DENIED when it
 * exists and is not ours, others may write to it, or it is no folder but, for
 * example, a symbolic link to one. */
int port_keep_folder(const char *path);
/* Hold a lock file until port_keep_unlock, or until the process ends: OK;
 * ERR_BUSY with the holder's pid in *pid (0: not known) when somebody has it,
 * we ourselves included. The file stays. */
int port_keep_lock(const char *path, int *pid);
/* Let go of a lock of ours; harmless when it is none. */
void port_keep_unlock(const char *path);
/* Who holds that lock, without touching it: OK and *pid, or ERR_NOT_FOUND. */
int port_keep_holder(const char *path, int *pid);

/* ---- the machine -------------------------------------------------------- */

/* The environment, by value: false when it is not set or does not fit. The
 * strings below live as long as the program. */
bool port_env(const char *name, char *out, size_t cap);
const char *port_home(void);     /* $HOME, else the user's, "" if none */
const char *port_username(void); /* the number if there is no name */
const char *port_shell(void);    /* login shell, $SHELL, /bin/sh: one that is
                                    there */
uint32_t port_uid(void);
int port_pid(void);
void port_hostname(char *out, size_t cap);
/* A text that is another one after each restart of the system; "" where that
 * cannot be told. */
void port_boot_id(char *out, size_t cap);

/* Texts are safe to show; "" and 0 when not known. */
struct port_facts {
    char os[24]; /* "linux" */
    char os_version[64];
    char kernel_version[64];
    char architecture[24];
    char cpu_model[64];
    char device_type[24]; /* server, vm, container, router, desktop,
                                 laptop, embedded */
    char device_model[64];
    uint32_t cpu_count;
    uint64_t total_ram; /* bytes */
    uint64_t uptime_seconds;
};
void port_facts(struct port_facts *out);

struct port_metrics {
    float cpu_usage; /* percent of all cores since the last call; the
                                first call tells the mean since boot */
    uint64_t memory_total, memory_free, disk_total, disk_free; /* bytes; free
                                is what a program could get */
    uint64_t uptime_seconds;
    uint32_t process_count;
    int battery_level; /* percent, -1 = none */
    bool is_charging, on_ac_power;
};
void port_metrics(const char *disk_path, struct port_metrics *out);

/* ---- daemon ------------------------------------------------------------- */

/* Continue in the background: returns in the child, whose parent waits on a
 * pipe until port_daemon_ready(text) and then prints text and exits with
 * `status`. A child that ends first makes the parent fail with its status.
 * Call it before threads, locks by pid, or port_signal_open. */
int port_daemon(void);
/* Works: tell the service manager, if one started us and asks for that, and
 * what we start from now on cannot speak to it. After port_daemon: tell the
 * parent, and let go of the terminal (standard streams to /dev/null) and the
 * working folder. Blocks while the manager's queue is full. */
void port_daemon_ready(struct view text, int status);
/* Is a process alive; ask it to end; tell it PORT_SIG_RELOAD, which only one
 * that opened its signals may be told. */
bool port_process_alive(int pid);
int port_process_end(int pid);
int port_process_reload(int pid);
/* Replace this program by itself with other arguments (never by PATH).
 * Returns only on failure. */
int port_reexec(const char *const *argv);

/* Replace this program by another one, which is looked up in PATH and gets
 * our environment, folder and standard streams, and signals as they were.
 * Returns only on failure, as port_pipe_spawn. */
int port_exec(const char *const *argv);

/* The one block of memory a role lives in: zeroed, and a page costs nothing
 * until it is touched. Stops the program when the system refuses. */
struct span port_memory(size_t size);

/* Nobody needs the content of `mem` any more: whole pages of it go back to
 * the system and may read as zeros from now on. */
void port_memory_release(struct span mem);
/* The pages of the program itself go back too; those that are used again come
 * again. For a program that will sleep for long. */
void port_memory_trim(void);

#endif
