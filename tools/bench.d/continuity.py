"""What a person at a session notices when a connection is cut, when the relay is
killed, and when he comes back: how long until a key is echoed, or the screen is
there."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.abspath("tests/system/lib"))
import signins
from echo import close_all
from lab import Failed, say, wait_for
from ours import Ours
from report import median, rounds, sliced
from term import Term, first_echo, ours_running, script

PROXY = os.path.abspath("tests/system/lib/proxy.py")
RING = 1 << 20
FIRST, LAST = "x" * 16, "@@end@@"
STALL_S = 0.01          # for a key to be on its way
REST_S = 1.5            # between two cuts; the tool is slower to come back to one that flaps
AWAY_S = 1              # of the relay
# Taken once, not in this run.
PUBLISHED = {"Eternal Terminal": 98.6, "autossh, in a new shell": 216}


def run(lab, ours, peers, report, quick):
    cuts(lab, report, 3 if quick else 20)
    killed(lab, ours, report, 2 if quick else 10)
    reattach(lab, ours, report, (2, 3) if quick else (7, 10))


# ---- a connection is cut

class Proxied(Ours):
    """Operator and machine reach the relay through a proxy each, which can reset
    what goes through it."""

    def __init__(self, lab):
        self.target = lab.write("cut-target", "")
        self.proxies = {name: lab.start([sys.executable, "-B", PROXY, self.target], "proxy-%s.log" % name)
                        for name in ("operator", "machine")}
        self.fronts = {name: wait_for("a proxy listens", 10, lambda: lab.log("proxy-%s.log" % name).strip())
                       for name in self.proxies}
        super().__init__(lab, "cut")
        self.sign_in_through("operator")

    def address(self, name):
        return "127.0.0.1:" + self.fronts[name].split()[1]

    def relay_argv(self):
        self.lab.write("cut-target", str(self.port))
        return super().relay_argv() + ["--address", self.address("machine")]

    def sign_in_through(self, name):
        config = os.path.join(self.env["XDG_CONFIG_HOME"], "cmdop")
        found = signins.read(config, os.path.join(self.env["XDG_STATE_HOME"], "cmdop"))
        direct = "127.0.0.1:%d" % self.port
        if not any(s["address"] == direct for s in found["servers"]):
            raise Failed("the operator is signed in at another address: " + config)
        for s in found["servers"]:
            s["address"] = self.address(name) if s["address"] == direct else s["address"]
        signins.write(config, found)

    def cut(self, name, type_key):
        """Hold everything, type, and reset: the key was on its way and is lost."""
        proxy = self.proxies[name].pid
        os.kill(proxy, signal.SIGUSR2)
        time.sleep(STALL_S)
        type_key()
        time.sleep(STALL_S)
        start = time.monotonic()
        os.kill(proxy, signal.SIGUSR1)
        os.kill(proxy, signal.SIGUSR2)      # the lower number is told first
        return start

    def close(self):
        super().close()
        for proxy in self.proxies.values():
            self.lab.end(proxy)


def cuts(lab, report, count):
    say("continuity: cut connections, %d of each" % count)
    ours = Proxied(lab)
    term = ours_running(lab, ours, script(lab, "echo.sh", "exec cat"))

    def once(name):
        time.sleep(REST_S)
        return first_echo({"ours": term}, ours.cut(name, lambda: term.type(b"@")))["ours"]
    got = rounds(count, {name: lambda name=name: once(name) for name in ours.proxies})
    term.close()
    for name, ms in got.items():
        report.add("cut_" + name, "ms", ms, bar="ours <= 50", published=PUBLISHED)
    ours.close()


# ---- the relay is killed

def killed(lab, ours, report, count):
    """From its start, not until it says that it is ready."""
    say("continuity: the relay is killed, %d times" % count)
    term = ours_running(lab, ours, script(lab, "echo.sh", "exec cat"))

    def once():
        time.sleep(REST_S)
        ours.relay.kill()
        ours.relay.wait()
        term.type(b"@")
        time.sleep(AWAY_S)
        start = time.monotonic()
        ours.start_relay()
        return first_echo({"ours": term}, start)["ours"]
    ms = rounds(count, {"ours": once})["ours"]
    close_all({"ours": term}, ours)
    report.add("relay_killed", "ms", ms, bar="ours <= 1000", away_s=AWAY_S)


# ---- somebody comes back

def leave_full(lab, ours):
    """A session with a full ring, and nobody attached."""
    filling = lab.write("ring.txt", "x" * (2 * RING - len(LAST)) + LAST)
    term = Term(lab, ours.session_argv(), ours.env)
    term.prompt()
    path = script(lab, "ring.sh", "cat %s; exec sleep 3600" % filling)
    term.type(b" unset HISTFILE; exec sh " + path.encode() + b"\r")
    term.expect(LAST.encode())
    term.type(b"\r~.")
    term.process.wait(10)
    term.close()


def reattach(lab, ours, report, size):
    """The peer is a program that writes the same bytes to a terminal here."""
    times, count = size
    say("continuity: reattach, %d rounds of %d" % size)
    same = lab.write("ring-tail.txt", "x" * (RING - len(LAST)) + LAST)
    leave_full(lab, ours)

    def replay(argv, env=None):
        """Until the first byte, until the last; the two take turns."""
        first, last, size = lab.probe("replay", FIRST, LAST, "--", *argv, env=env)
        if size < RING:
            raise Failed("%d bytes came, and the ring has %d" % (size, RING))
        return [(first / 1e6, last / 1e6)]
    got = sliced(times, count, {"ours": lambda: replay(ours.back_argv(), ours.env),
                                "local": lambda: replay(["cat", same])})
    close_all({}, ours)
    first, whole = ({name: [median([run[i] for run in r]) for r in got[name]] for name in got} for i in (0, 1))
    report.add("reattach_first", "ms", first["ours"], first["local"], "cat on a local PTY", times * count, "ours <= 20")
    report.add("reattach_ring", "ms", whole["ours"], whole["local"], "cat of as much on a local PTY", times * count,
               "ratio <= 1.5")
