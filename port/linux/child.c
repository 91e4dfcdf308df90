/* Children and other processes after their start; see port.h. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/err.h"
#include "errand.h"
#include "signal.h"
#include "why.h"

/* kill(2) gives 0, 1 and negative numbers meanings nobody here wants. */
#define PID_MIN 2

int port_child_signal(int pid, const char *name)
{
    int number = signal_number(name);
    if (number == 0 || pid < PID_MIN)
        return why_say(ERR_RANGE, name, "no such signal or process");
    /* The child may be between fork and its own process group only while
     * spawn_start runs, never here. */
    return kill(-pid, number) == 0 ? OK : why_errno("kill");
}

bool port_signal_known(const char *name)
{
    return signal_number(name) != 0;
}

static int decode(int raw, int *signal)
{
    *signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
    return *signal != 0 ? 128 + *signal : WEXITSTATUS(raw);
}

int port_child_reap(int *status, int *signal)
{
    for (;;) {
        int raw;
        int pid = waitpid(-1, &raw, WNOHANG);
        if (pid <= 0)
            return 0;
        if (errand_reaped(pid))
            continue;
        *status = decode(raw, signal);
        return pid;
    }
}

bool port_process_alive(int pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

int port_process_end(int pid)
{
    if (pid < PID_MIN)
        return why_say(ERR_RANGE, "kill", "no such process");
    return kill(pid, SIGTERM) == 0 ? OK : why_errno("kill");
}

int port_process_reload(int pid)
{
    if (pid < PID_MIN)
        return why_say(ERR_RANGE, "kill", "no such process");
    return kill(pid, SIGUSR1) == 0 ? OK : why_errno("kill");
}
