/*
 * Short-lived children that work something out for the program and write one
 * answer to a pipe: look-ups (resolve.c) and tasks (task.c). They are known
 * by pid in a small table, so that nobody else notices them:
 * port_child_reap asks errand_reaped about each pid it collects and passes
 * ours over. (The other ways are worse: with a double fork the grandchild
 * returns to us when we are PID 1, and a clone without SIGCHLD is refused by
 * emulators.)
 */
#ifndef PORT_LINUX_ERRAND_H
#define PORT_LINUX_ERRAND_H

#include "port/port.h"

enum errand_kind { ERRAND_LOOKUP, ERRAND_TASK, ERRAND_KINDS };

/*
 * Let a child call `work` and send its answer, at most PORT_TASK_ANSWER_MAX
 * bytes. Returns the handle of the answer; ERR_LIMIT when too many of this
 * kind are on their way (`what` says which, for port_why); or another code.
 */
int errand_start(enum errand_kind kind, port_task_fn *work, const void *arg,
                 const char *what);
/* The same for an answer that is known already: no child. */
int errand_answered(struct view answer);

/* What came: its length, 0 when nothing did yet, or what `work` returned
 * below zero; ERR_IO: the child ended without a word. Closes the handle
 * unless it returns 0. */
int errand_take(int handle, struct span out);

/* `handle` is about to be closed: a child that still works for it ends. */
void errand_forget(int handle);

/* Was the ended child `pid` one of ours? Then it is forgotten here and is
 * none of the program's business. */
bool errand_reaped(int pid);

#endif
