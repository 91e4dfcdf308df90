"""Keys: how long until the echo is back, and how many system calls it takes."""
import os
import shutil
import signal
import subprocess
import time

from lab import descendants_of, is_keeper, name_of, say, wait_for
from report import percentile, sliced
from term import all_running, script

GAP_US = 20000
SLICE = 25              # keys
COUNT_GAP_US = 5000
HARNESS_CALLS = 3       # probe echo: nanosleep, write, read
PEER_NAMES = {"relayed": "ssh through a relay sshd (ssh -R)", "direct": "ssh", "local": "local PTY (floor)"}


def close_all(terms, ours):
    for term in terms.values():
        term.close()
    for pid in descendants_of(ours.agent.pid):
        if not is_keeper(pid):      # they end with what they keep
            os.kill(pid, signal.SIGKILL)
    ours.settle()


def run(lab, ours, peers, report, quick):
    terms = all_running(lab, ours, peers, script(lab, "echo.sh", "exec cat"))
    try:
        latency(terms, report, (2, 100) if quick else (5, 400))
        calls(lab, ours, peers, terms, report, (50, 100) if quick else (100, 300))
    finally:
        close_all(terms, ours)


def latency(terms, report, size):
    times, keys = size
    say("echo: %d rounds of %d keys on %d paths" % (times, keys, len(terms)))
    got = sliced(times, keys // SLICE,
                 {name: lambda t=t: t.probe("echo", SLICE, GAP_US) for name, t in terms.items()})
    for p, bars in ((50, {"relayed": "ratio <= 1.0", "direct": "ratio <= 1.5"}), (99, {})):
        us = {name: [percentile(r, p) / 1000 for r in got[name]] for name in got}
        for peer in ("relayed", "direct", "local"):
            if peer in us:
                report.add("echo_p%d" % p, "us", us["ours"], us[peer], PEER_NAMES[peer], times * keys, bars.get(peer))


# ---- system calls

def calls(lab, ours, peers, terms, report, sizes):
    count = counter(lab)
    if count is None:
        return
    roots = {"ours": [ours.relay.pid, ours.agent.pid, terms["ours"].process.pid]}
    if peers:
        roots["relayed"] = [peers.target_sshd.pid, peers.relay_sshd.pid, peers.reverse.pid,
                            terms["relayed"].process.pid]
        roots["direct"] = [peers.target_sshd.pid, terms["direct"].process.pid]
    got = {}
    for name in roots:
        pids = [p for root in roots[name] for p in [root] + descendants_of(root)]
        runs = [count(terms[name], pids, keys) for keys in sizes]
        per_key = {p: (runs[1].get(p, 0) - runs[0].get(p, 0)) / (sizes[1] - sizes[0]) for p in runs[1]}
        per_key[os.getpid()] = HARNESS_CALLS
        got[name] = per_key
    detail = {label(ours, p): round(n, 2) for p, n in got["ours"].items() if n > 0.05}
    for peer in ("relayed", "direct"):
        if peer in got or peer == "relayed":
            report.add("echo_syscalls", "calls/key", [sum(got["ours"].values())],
                       [sum(got[peer].values())] if peer in got else None, PEER_NAMES[peer], sizes[1] - sizes[0],
                       "ours <= 36", detail=detail)


def label(ours, pid):
    names = {ours.relay.pid: "relay", ours.agent.pid: "agent", os.getpid(): "harness"}
    return names.get(pid) or {"cat": "cat"}.get(name_of(pid), "cli")


def counter(lab):
    """A function (term, pids, keys) -> {pid: system calls while `keys` echo}."""
    if shutil.which("perf"):
        test = subprocess.run(["perf", "stat", "-e", "raw_syscalls:sys_enter", "true"], capture_output=True)
        if test.returncode == 0:
            return lambda *a: perf(lab, *a)
    if shutil.which("strace"):
        return lambda *a: strace(lab, *a)
    say("echo: system calls are not counted: no perf that may, no strace")
    return None


def perf(lab, term, pids, keys):
    out = lab.path("perf.csv")
    watch = subprocess.Popen(["perf", "stat", "-x", ",", "-o", out, "--per-thread", "-e", "raw_syscalls:sys_enter",
                              "-p", ",".join(map(str, pids))], stderr=subprocess.DEVNULL)
    time.sleep(0.5)     # until it has attached
    term.probe("echo", keys, COUNT_GAP_US)
    watch.send_signal(signal.SIGINT)
    watch.wait()
    found = {}
    with open(out) as f:
        for line in f:
            field = line.strip().split(",")
            if "raw_syscalls" in line and field[1].isdigit():
                pid = int(field[0].rsplit("-", 1)[1])
                found[pid] = found.get(pid, 0) + int(field[1])
    return found


def strace(lab, term, pids, keys):
    out = lab.path("strace.out")
    argv = ["strace", "-q", "-o", out] + [a for p in pids for a in ("-p", str(p))]
    watch = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    wait_for("strace has attached", 10, lambda: all(traced(p) for p in pids))
    term.probe("echo", keys, COUNT_GAP_US)
    watch.send_signal(signal.SIGINT)
    watch.wait()
    found = {}
    with open(out, errors="replace") as f:
        for line in f:
            pid, _, what = line.partition(" ")
            if pid.isdigit() and what.strip()[:1].isalpha():
                found[int(pid)] = found.get(int(pid), 0) + 1
    return found


def traced(pid):
    try:
        with open("/proc/%d/status" % pid) as f:
            return "TracerPid:\t0\n" not in f.read()
    except OSError:
        return True
