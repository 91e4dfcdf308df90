"""Random kills of agent, relay and operators, while a session's output and input flow.

Four operators are on the session: a typist and a watcher who stay, and a typist and a watcher who
are killed and come back as others. A part of the town that can be killed has `kill` and `start`;
whatever else is to be killed (a command that is waited for, say) is one more of them in `main`.
"""
import hashlib
import random
import select
import subprocess
import sys

from facts import alive, home, start_relay
from streams import Stream, View
from terminal import *

RATE = int(os.environ["RATE"])  # of the output, in a second; the ring holds a megabyte
LAG_MAX = 256 * 1024       # further behind, nobody is killed until it is less
UNAPPLIED_MAX = 8 * 1024   # of typed bytes, the same
PAUSES = [0, 0, 0.05, 0.1, 0.2, 0.3, 0.5]
PATIENCE = 60              # until all is well again


# ---- what can be killed ----------------------------------------------------------------


class Agent:
    name = "agent"

    def __init__(self):
        self.pid = int(os.environ["AGENT"])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        wait_for(lambda: not alive(self.pid))  # as whoever starts it again would see

    def start(self):
        p = subprocess.run([CMDOP, "agent", "start"], env=home("box"), capture_output=True, text=True)
        m = re.search(r"agent started, pid (\d+)", p.stdout)
        if not m:
            raise SystemExit("agent start: %s%s" % (p.stdout, p.stderr))
        self.pid = int(m.group(1))
        remember(self.pid)


class Relay:
    name = "relay"

    def __init__(self):
        self.pid = int(os.environ["RELAY"])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        try:
            os.waitpid(self.pid, 0)  # those that we started
        except ChildProcessError:
            pass

    def start(self):
        self.pid = start_relay()


class Seat:
    """An operator's place: one tool after the other on one session."""

    def __init__(self, name, stream, *args):
        self.name, self.stream, self.args = name, stream, args
        self.tool = self.view = None
        self.lives = -1
        self.tries = 0
        self.again = 0.0
        self.faults = []    # what a life saw that it should not
        self.seen = 0       # how far any of them came
        self.gap = 0
        self.pause = 0.0
        self.start()

    def start(self):
        self.lives += 1
        self.open()

    def open(self):
        self.view = View(self.stream)
        self.tool = Tool(self.view, *self.args)

    def kill(self):
        if self.tool.wait(0) is None:
            os.kill(self.tool.pid, signal.SIGKILL)
        elif self.view.greeted:
            self.faults.append("life %d left with status %s" % (self.lives, self.tool.status))
        self.tool.wait()
        self.count()
        self.tool.close()
        self.tool = None

    def count(self):
        """The books of this life."""
        v = self.view
        if v.wrong:
            self.faults.append("life %d %s" % (self.lives, v.wrong))
        if v.start is not None and v.start > self.seen:
            self.faults.append("life %d begins at %d, the last one came to %d" % (self.lives, v.start, self.seen))
        self.seen = max(self.seen, v.at or 0)
        self.gap += v.gap
        self.pause = max(self.pause, v.pause)

    def look(self):
        """A tool that did not get in, because agent or relay were away, is started again."""
        if self.view.greeted or self.tool.wait(0) is None:
            return
        if time.monotonic() > self.again:
            self.tries += 1
            self.again = time.monotonic() + 0.1
            self.tool.close()
            self.open()

    def behind(self, produced):
        return produced - (self.view.at or 0)


class Tool(Terminal):
    """`cmdop connect` on a terminal; a view takes what it shows."""

    def __init__(self, view, *args):
        self.view = view
        super().__init__([CMDOP, "connect"] + list(args))

    def read(self, seconds):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.view.feed(os.read(self.master, 65536))
            except OSError:
                return False
            if seconds:
                return True
        return False

    def close(self):
        os.close(self.master)
        os.close(self.slave)


# ---- typing ----------------------------------------------------------------------------


class Steady:
    """Types a stream, all of it below 0x80, and is never killed."""

    def __init__(self, seat, seed):
        self.seat, self.stream, self.typed = seat, Stream(seed), 0

    def type(self, n):
        self.seat.tool.type(self.stream.part(self.typed, n))
        self.typed += n

    def unapplied(self, data):
        return self.typed - len(below(data))


class Mortal:
    """Each life types bytes of its own: half of what 0x80 and above can tell says which class of
    eight lives it is, a zero in the other half that one begins, and three digits which."""

    def __init__(self, seat, seed):
        self.seat, self.seed = seat, seed
        self.typed = {}  # life: count

    def text(self, life, n):
        rand = random.Random(self.seed * 100000 + life)
        digits = [0, 1 + life // 196 % 14, 1 + life // 14 % 14, 1 + life % 14]
        while len(digits) < n:
            digits.append(rand.randrange(1, 16))
        return bytes(0x80 + 16 * (life % 8) + d for d in digits[:n])

    def type(self, n):
        life = self.seat.lives
        at = self.typed.get(life, 0)
        self.seat.tool.type(self.text(life, at + n)[at:])
        self.typed[life] = at + n

    def lives_of(self, data, kind):
        """The pieces of the lives of one class, in the order they were applied."""
        mine = bytes(b for b in data if b >= 0x80 and (b - 0x80) // 16 == kind)
        mark = bytes([0x80 + 16 * kind])
        pieces = mine.split(mark)
        return [mark + p for p in pieces[1:]], pieces[0]

    def check(self, data):
        """(faults, applied by life): each piece is a prefix of what one life typed."""
        faults, applied = [], {}
        for kind in range(8):
            pieces, stray = self.lives_of(data, kind)
            if stray:
                faults.append("class %d: %d bytes before any life" % (kind, len(stray)))
            lives = sorted(n for n in self.typed if n % 8 == kind)
            for piece in pieces:
                while lives and not self.text(lives[0], self.typed[lives[0]]).startswith(piece):
                    lives.pop(0)
                if not lives:
                    faults.append("class %d: %r is no life's, or comes again" % (kind, piece[:40]))
                    break
                applied[lives.pop(0)] = len(piece)
        return faults, applied


def below(data):
    return bytes(b for b in data if b < 0x80)


# ---- the town --------------------------------------------------------------------------


def remember(pid):
    with open(os.path.join(T, "pids"), "a") as f:
        f.write("%d\n" % pid)


def file_of(name):
    return os.path.join(T, "box", name)


def contents(name):
    try:
        with open(file_of(name), "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def touch(name):
    open(file_of(name), "w").close()


def begin(seed):
    """Start the program in a session of its own; the session's id."""
    t = connect("--new", "box")
    t.prompt()
    t.type("echo $CMDOP_SESSION\r")
    session = t.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
    here = os.path.abspath(os.path.dirname(__file__))
    t.type("exec %s -B %s/bothways.py %d %d ~\r" % (sys.executable, here, seed, RATE))
    t.expect(r"0000000000 [0-9a-f]{52}\n")
    t.type("\x04")
    t.wait()
    return session


class Town:
    def __init__(self, seed, session):
        stream = Stream(seed)
        self.rand = random.Random(seed)      # of the schedule
        self.fingers = random.Random(seed + 3)
        self.stays = Seat("typist", stream, "--session", session, "box")
        self.watches = Seat("watcher", stream, "--observe", "--session", session, "box")
        self.typist = Seat("other typist", stream, "--session", session, "box")
        self.watcher = Seat("other watcher", stream, "--observe", "--session", session, "box")
        self.seats = [self.stays, self.watches, self.typist, self.watcher]
        self.steady = Steady(self.stays, seed + 1)
        self.mortal = Mortal(self.typist, seed + 2)
        self.victims = [Agent(), Relay(), self.typist, self.watcher]
        self.kills = {v.name: 0 for v in self.victims}

    def produced(self):
        return int(contents("out") or 0)

    def read(self):
        taken = [s for s in self.seats if s.tool]
        tools = {s.tool.master: s.tool for s in taken}
        for fd in select.select(list(tools), [], [], 0.01)[0]:
            tools[fd].read(0)
        for s in taken:
            s.look()

    def turn(self):
        self.read()
        for who in self.steady, self.mortal:
            if who.seat.tool and who.seat.view.greeted and self.fingers.random() < 0.3:
                who.type(self.fingers.randrange(1, 40))

    def work(self, seconds):
        end = time.monotonic() + seconds
        self.turn()
        while time.monotonic() < end:
            self.turn()

    def lags(self):
        produced = self.produced()
        return any(s.behind(produced) > LAG_MAX for s in self.seats) or \
            self.steady.typed - os.path.getsize(file_of("in")) > UNAPPLIED_MAX

    def settle(self, holds, turn):
        """Go on until it holds; False: it never does."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                return False
            turn()
        return True

    def one_kill(self):
        victim = self.rand.choice(self.victims)
        victim.kill()
        self.kills[victim.name] += 1
        self.work(self.rand.choice(PAUSES) * self.rand.random())
        victim.start()
        self.work(self.rand.choice(PAUSES) * 2 * self.rand.random())
        return self.settle(lambda: not self.lags(), self.turn)

    def quiet(self):
        """Nothing is produced or typed any more, and all of it has arrived."""
        total, data = self.produced(), contents("in")
        return all(s.view.at == total for s in self.seats) and \
            len(below(data)) >= self.steady.typed and \
            self.mortal.check(data)[1].get(self.typist.lives, 0) == self.mortal.typed.get(self.typist.lives, 0)

    def finish(self):
        touch("enough")
        self.work(0.2)
        return self.settle(self.quiet, self.read)


# ---- the facts -------------------------------------------------------------------------


def digest(data):
    return hashlib.sha256(data).hexdigest()


def tell_output(town):
    total = town.produced()
    true = digest(town.stays.stream.part(0, total))
    for s in town.stays, town.watches:
        fact("the %s who stays saw the output, all of it, once and in order" % s.name,
             s.view.start == 0 and s.view.at == total and s.view.hash.hexdigest() == true and not s.faults,
             s.view.start, s.view.at, total, s.view.wrong, s.view.notices[-5:])
    for s in town.typist, town.watcher:
        fact("each %s saw the true output, from before the last one's end" % s.name,
             not s.faults and s.seen == total, s.seen, total, *s.faults[:5])
    fact("no gap had to be told", not any(s.gap for s in town.seats), [s.gap for s in town.seats])
    return total, true


def tell_input(town):
    data = contents("in")
    got, typed = below(data), town.steady.stream.part(0, town.steady.typed)
    k = next((i for i, (a, b) in enumerate(zip(got, typed)) if a != b), min(len(got), len(typed)))
    fact("what the typist who stays typed was applied once and in order", digest(got) == digest(typed),
         "differs at %d of %d, %d" % (k, len(got), len(typed)), got[k:k + 80], typed[k:k + 80])
    told = [n for n in town.stays.view.notices if "typed" in n]
    fact("and he had to be told of no loss", not told, *told[:5])
    faults, applied = town.mortal.check(data)
    fact("of what each killed typist typed a beginning was applied, once and in order", not faults, *faults[:5])
    lost = sum(town.mortal.typed.values()) - sum(applied.values())
    return len(typed), sum(town.mortal.typed.values()), lost


def main():
    seed, kills = int(os.environ["SEED"]), int(os.environ["KILLS"])
    print("seed %d, %d kills" % (seed, kills))
    began = time.monotonic()
    town = Town(seed, begin(seed))
    town.settle(lambda: all(s.view.greeted for s in town.seats), town.read)
    well = all(town.one_kill() for _ in range(kills))
    fact("after each of %d kills output and input went on" % kills, well,
         *["%s: at %s of %d; %s" % (s.name, s.view.at, town.produced(), s.view.notices[-3:]) for s in town.seats])
    fact("and in the end everybody has everything", town.finish(),
         *["%s: at %s of %d; %s" % (s.name, s.view.at, town.produced(), s.view.notices[-3:]) for s in town.seats])
    for s in town.seats:
        s.count()
    total, true = tell_output(town)
    steady, mortal, lost = tell_input(town)
    touch("stop")
    print("killed:", ", ".join("%s %d" % k for k in town.kills.items()))
    print("output %d bytes, sha256 %s" % (total, true))
    print("typed %d bytes by the one who stays; %d by %d others, of which %d were lost with them" %
          (steady, mortal, town.typist.lives + 1, lost))
    print("longest time without output %.1f s; tools that did not get in at once: %d; %.0f s in all" %
          (max(s.pause for s in town.seats), sum(s.tries for s in town.seats), time.monotonic() - began))
