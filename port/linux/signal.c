/* Signals as a readable handle (signalfd): no handler ever runs, so nothing
 * in this program has to be safe against one. See port.h. */
#include "signal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "why.h"

static int handle = -1;

static const struct {
    int number;
    enum port_signal event;
} events[] = {
    {SIGTERM, PORT_SIG_TERM},    {SIGINT, PORT_SIG_TERM},
    {SIGHUP, PORT_SIG_TERM},     {SIGQUIT, PORT_SIG_TERM},
    {SIGUSR1, PORT_SIG_RELOAD},  {SIGCHLD, PORT_SIG_CHILD},
    {SIGWINCH, PORT_SIG_RESIZE}, {SIGCONT, PORT_SIG_CONT},
};

static const struct {
    char name[8];
    int number;
} names[] = {
    {"HUP", SIGHUP},     {"INT", SIGINT},   {"QUIT", SIGQUIT},
    {"ABRT", SIGABRT},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM},   {"CONT", SIGCONT}, {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},
    {"WINCH", SIGWINCH},
};

/* Whoever started us with nohup or in the background of a script chose that
 * these do not reach us. */
static bool is_ignored(int number)
{
    struct sigaction sa;
    return sigaction(number, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

int port_signal_open(void)
{
    sigset_t set;
    if (handle >= 0)
        return handle;
    signal(SIGCHLD, SIG_DFL); /* ignored, it would hide every exit status */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (!is_ignored(events[i].number))
            sigaddset(&set, events[i].number);
    handle = handle_lift(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (handle < 0)
        return why_errno("signalfd");
    sigprocmask(SIG_BLOCK, &set, NULL);
    return handle;
}

enum port_signal port_signal_take(void)
{
    struct signalfd_siginfo info;
    if (read(handle, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return PORT_SIG_NONE;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i].number == (int)info.ssi_signo)
            return events[i].event;
    return PORT_SIG_NONE;
}

/* The system call and not sigaction, which hides the signals that the C
 * libraries keep for themselves: make, for one, hands those on ignored. All
 * zeros is SIG_DFL without flags in every architecture's struct. */
void signal_reset(void)
{
    static const uint64_t by_default[8];
    sigset_t none;
    for (int n = 1; n < _NSIG; n++)
        syscall(SYS_rt_sigaction, n, by_default, NULL, _NSIG / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int signal_number(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].number;
    return 0;
}
