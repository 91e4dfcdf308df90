"""Facts of a script; test.sh numbers them."""
import os
import re
import subprocess
import sys
import time

T = os.environ["T"]
CMDOP = os.environ["CMDOP"]


def fact(name, holds, *remarks):
    print("ok" if holds else "not ok", name)
    if not holds:
        for r in remarks:
            for line in str(r).splitlines():
                print(" ", line)
    sys.stdout.flush()
    return holds


def wait_for(holds, seconds=10):
    """Until holds() is true; its last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


class Log:
    """What is written to a log from now on."""

    def __init__(self, name):
        self.path = os.path.join(T, name)
        self.start = os.path.getsize(self.path)

    def lines(self):
        with open(self.path, "rb") as f:
            f.seek(self.start)
            return f.read().decode("utf-8", "replace").splitlines()

    def has(self, pattern, seconds=10):
        return bool(wait_for(lambda: [x for x in self.lines() if re.search(pattern, x)], seconds))


def alive(pid):
    try:
        with open("/proc/%s/stat" % pid) as f:
            return f.read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def memory(pid):
    """All that the process can read of itself, in parts."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            at, modes = line.split()[:2]
            lo, hi = (int(x, 16) for x in at.split("-"))
            if hi - lo > 1 << 34:
                raise OSError("a sanitizer's shadow cannot be read through")
            if "r" not in modes or "[v" in line:
                continue
            while lo < hi:
                n = min(hi - lo, 16 << 20)
                mem.seek(lo)
                yield mem.read(n)
                lo += n


def holds(pid, word):
    return any(word in part for part in memory(pid))


def open_files(pid):
    return len(os.listdir("/proc/%s/fd" % pid))


def home(place):
    """The environment of a place, as `at` of test.sh makes it."""
    at = os.path.join(T, place)
    return dict(os.environ, HOME=at, XDG_CONFIG_HOME=at + "/config", XDG_STATE_HOME=at + "/state",
                XDG_RUNTIME_DIR=at + "/run", INPUTRC=at + "/.inputrc")


def start_relay():
    """Again, where it was; its pid."""
    with open(os.path.join(T, "relay.log"), "ab") as log:
        p = subprocess.Popen([CMDOP, "server", "--listen-grpc", "127.0.0.1:" + os.environ["PORT"], "--listen-api",
                              "127.0.0.1:" + os.environ["API"]], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with open(os.path.join(T, "pids"), "a") as f:
        f.write("%d\n" % p.pid)
    return p.pid
