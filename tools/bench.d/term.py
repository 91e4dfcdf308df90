"""A program on a pseudo-terminal that we hold the other end of."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from lab import Failed, die_with_parent

READY = b"@@ready@@"
QUIET_S = 0.2


def become_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    die_with_parent()


class Term:
    def __init__(self, lab, argv, env=None):
        self.lab = lab
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env or lab.env,
                                        cwd=lab.dir, preexec_fn=become_terminal)
        os.close(slave)
        self.seen = b""

    def read(self, seconds):
        """Some output, or nothing within the time."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        if not got:
            raise Failed("the program on the terminal ended; it said %r" % self.seen[-500:])
        self.seen = (self.seen + got)[-65536:]
        return got

    def expect(self, text, seconds=15):
        until = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > until:
                raise Failed("%r did not come; this came: %r" % (text, self.seen[-500:]))
            self.read(0.5)
        self.seen = self.seen.split(text, 1)[1]

    def quiet(self):
        while self.read(QUIET_S):
            pass

    def type(self, text):
        os.write(self.fd, text)

    def prompt(self):
        """Wait for a shell: some output, then none."""
        until = time.monotonic() + 15
        while not self.read(0.5):
            if time.monotonic() > until:
                raise Failed("no shell came")
        self.quiet()

    def probe(self, *args):
        return self.lab.probe(args[0], self.fd, *args[1:], fds=(self.fd,))

    def close(self):
        """Hang up."""
        os.close(self.fd)
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.lab.end(self.process)


def first_echo(terms, start, key=b"@", seconds=60):
    """Milliseconds from `start` until the key comes back, {name: ms}."""
    waiting, took = dict(terms), {}
    until = time.monotonic() + seconds
    while waiting:
        ready = select.select([t.fd for t in waiting.values()], [], [], max(0, until - time.monotonic()))[0]
        now = time.monotonic()
        if not ready:
            raise Failed("no echo within %d s: %s" % (seconds, ", ".join(waiting)))
        for name in [n for n, t in waiting.items() if t.fd in ready]:
            if key in waiting[name].read(0):
                took[name] = (now - start) * 1000
                del waiting[name]
    return took


def script(lab, name, text):
    return lab.write(name, "stty raw -echo\nprintf '@@%s@@' ready\n" + text + "\n", 0o700)


def ours_running(lab, ours, path):
    """A session of ours in which the script runs instead of the shell."""
    term = Term(lab, ours.session_argv(), ours.env)
    term.prompt()
    term.type(b" unset HISTFILE; exec sh " + path.encode() + b"\r")
    return ready(term)


def peer_running(lab, argv):
    return ready(Term(lab, argv))


def ready(term):
    term.expect(READY)
    term.quiet()
    return term


def all_running(lab, ours, peers, path):
    """The script on a terminal everywhere: {name: Term}."""
    command = "exec sh " + path
    terms = {"ours": ours_running(lab, ours, path), "local": peer_running(lab, ["sh", path])}
    if peers:
        terms["relayed"] = peer_running(lab, peers.relayed(command, options=("-tt",)))
        terms["direct"] = peer_running(lab, peers.direct(command, options=("-tt",)))
    return terms
