"""The laboratory: one temporary folder and every process started in it.

All that is started descends from this process, also what its children left
behind (it is their subreaper), so that close() can end each by its pid.
"""
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROBE = os.path.abspath("build/bench/probe")


class Failed(Exception):
    """What was to be measured did not work; the text says how."""


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, seconds, fact):
    """Poll `fact` until it is true; its value."""
    until = time.monotonic() + seconds
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed("waited %d s in vain: %s" % (seconds, what))
        time.sleep(0.01)


def ticks():
    """All and idle ticks of all cores."""
    with open("/proc/stat") as f:
        n = [int(x) for x in f.readline().split()[1:9]]
    return sum(n), n[3] + n[4]


def others():
    """The share of the machine that others use just now, in percent."""
    before = ticks()
    time.sleep(1)
    after = ticks()
    return round(100 - 100 * (after[1] - before[1]) / max(1, after[0] - before[0]))


def free_port(given=set()):
    """Below the range from which outgoing connections get theirs, else one of
    those might take it before its user comes."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as s:
            if port not in given and s.connect_ex(("127.0.0.1", port)) != 0:
                given.add(port)
                return port


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def children_of(pid):
    """Direct children of all threads of a process."""
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                found += [int(p) for p in f.read().split()]
    except OSError:
        pass
    return found


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child] + descendants_of(child)
    return found


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def is_keeper(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().startswith(b"cmdop\0keeper\0")
    except OSError:
        return False


class Lab:
    def __init__(self):
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.dir = tempfile.mkdtemp(prefix="cmdop-bench-")
        self.env = {"PATH": PATH, "HOME": self.path("home"), "SHELL": "/bin/sh",
                    "LANG": "C.UTF-8", "TERM": "xterm", "HISTFILE": "/dev/null"}
        self.undo = []      # called in reverse at the end
        os.mkdir(self.env["HOME"], 0o700)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def folder(self, *names):
        path = self.path(*names)
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    def write(self, name, text, mode=0o600):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as f:
            f.write(text)
        return self.path(name)

    def start(self, argv, log, env=None, **more):
        """A daemon in the foreground; what it says goes to LAB/log."""
        with open(self.path(log), "ab") as out:
            return subprocess.Popen(argv, env=env or self.env, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out, start_new_session=True, cwd=self.dir,
                                    preexec_fn=die_with_parent, **more)

    def run(self, argv, env=None, **more):
        """A command to its end; its standard output."""
        done = subprocess.run(argv, env=env or self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, cwd=self.dir, **more)
        if done.returncode != 0:
            raise Failed("%s: exit status %d: %s" % (" ".join(argv), done.returncode, done.stderr.strip()))
        return done.stdout

    def probe(self, *args, env=None, fds=()):
        """Nanoseconds from the stop-watch."""
        argv = [PROBE] + [str(a) for a in args]
        done = subprocess.run(argv, env=env or self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, pass_fds=fds, cwd=self.dir)
        if done.returncode != 0:
            raise Failed("%s: %s" % (" ".join(argv[1:]), done.stderr.strip()[-2000:]))
        return [int(line) for line in done.stdout.split()]

    def log(self, name):
        try:
            with open(self.path(name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def end(self, process):
        """SIGTERM, then SIGKILL."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self):
        for sig, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                left = descendants_of(os.getpid())
                if not left:
                    break
                for pid in left:
                    try:
                        os.kill(pid, sig)
                    except OSError:
                        pass
                self.reap()
                time.sleep(0.05)
        for step in reversed(self.undo):
            step()
        if os.environ.get("BENCH_KEEP"):
            say("left: " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def reap():
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
