"""A terminal with a program on it, and somebody who types and reads."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from facts import CMDOP, T, fact, wait_for


class Terminal:
    def __init__(self, argv, rows=24, cols=80, env=()):
        self.master, self.slave = pty.openpty()
        self.resize(rows, cols)
        self.before = self.modes()
        self.seen = ""    # all of it
        self.unread = ""  # after the last match
        self.status = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in 0, 1, 2:
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            os.execvpe(argv[0], argv, dict(os.environ, **dict(env)))
        with open(os.path.join(T, "pids"), "a") as f:
            f.write("%d\n" % self.pid)

    def modes(self):
        """All that a program may have changed: modes, and the handle's flags."""
        return termios.tcgetattr(self.slave) + [fcntl.fcntl(self.slave, fcntl.F_GETFL)]

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        while data:
            n = os.write(self.master, data[:1024])
            data = data[n:]
            self.read(0)

    def read(self, seconds):
        """What is there, or comes within that time."""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                text = os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:  # nobody holds the other side any more
                return False
            self.seen += text
            self.unread += text
            if seconds:
                return True
            seconds = 0
        return False

    def expect(self, pattern, seconds=10):
        """Read until the pattern comes; the match, or None with a remark."""
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.unread)
            if m:
                self.unread = self.unread[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0:
                print("waited in vain for %r; unread: %r" % (pattern, self.unread[-500:]), flush=True)
                return None
            self.read(min(left, 0.1))
            if self.wait(0) is not None and not self.read(0.05):
                end = 0

    def prompt(self, name="box"):
        return self.expect(re.escape(name) + r"[$#] $")

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=10):
        """The exit status once the program has ended; None while it runs."""
        def ended():
            if self.status is None:
                self.read(0)
                pid, raw = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(raw)
            return self.status is not None
        wait_for(ended, seconds)
        return self.status

    def restored(self):
        """As it was before the program, modes and flags."""
        self.read(0.05)
        return self.modes() == self.before


def connect(*args, **how):
    return Terminal([CMDOP, "connect"] + list(args), **how)
