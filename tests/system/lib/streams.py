"""Streams of bytes that tell their own offsets, and eyes that compare what is shown with them.

A stream is made of lines of 64 bytes, each with its number and a digest of seed and number: a
byte that is lost, doubled or out of its place shows, and whoever sees one whole line knows where
he is. No line holds a carriage return, an escape or a bracket, so what the tool says itself
between the bytes is found again.
"""
import hashlib
import re
import time

LINE = 64
WHOLE = re.compile(rb"(\d{10}) [0-9a-f]{52}\n")
# What the tool writes between the bytes: its state line and its end, a notice on lines of its own.
WORDS = re.compile(rb"\r\x1b\[K|\[cmdop: [^\]]*\]|\r\n")
CUT = re.compile(rb"(\r|\r\x1b|\r\x1b\[|(?<!\x1b)\[[^\]]*)$")
GAP = re.compile(rb"(\d+) bytes of output")
GREETED = b"; Ctrl-D detaches"


class Stream:
    """The true bytes of a seed."""

    def __init__(self, seed):
        self.seed = seed
        self.bytes = bytearray()

    def line(self, number):
        digest = hashlib.sha256(b"%d %d" % (self.seed, number)).hexdigest()
        return b"%010d %s\n" % (number, digest[:52].encode())

    def part(self, start, length):
        while len(self.bytes) < start + length:
            self.bytes += self.line(len(self.bytes) // LINE)
        return bytes(self.bytes[start:start + length])


class View:
    """What one tool shows of a stream, from the first byte that it was given."""

    def __init__(self, stream):
        self.stream = stream
        self.early = b""   # before the first whole line
        self.held = b""    # may be the beginning of the tool's words
        self.notices = []
        self.greeted = False
        self.start = self.at = None
        self.gap = 0
        self.wrong = None  # where it first differs, and how
        self.hash = hashlib.sha256()
        self.moved = time.monotonic()
        self.pause = 0.0   # the longest without a byte

    def feed(self, data):
        data = self.held + data
        cut = CUT.search(data)
        self.held = data[cut.start():] if cut else b""
        data = data[:cut.start()] if cut else data
        at = 0
        for m in WORDS.finditer(data):
            self.take(data[at:m.start()])
            self.note(m.group())
            at = m.end()
        self.take(data[at:])

    def note(self, words):
        if words[:1] == b"\r":
            return
        self.notices.append(words.decode())
        gap = GAP.search(words)
        if gap and self.at is not None:
            self.gap += int(gap.group(1))
            self.at += int(gap.group(1))

    def take(self, data):
        if not data:
            return
        if self.at is None:
            data = self.find(data)
        if data:
            self.compare(data)

    def find(self, data):
        """The first whole line tells where we are, and where we began."""
        self.early += data
        self.greeted = GREETED in self.early
        body = self.early.partition(GREETED)[2]
        m = WHOLE.search(body)
        if not m:
            return b""
        number = int(m.group(1))
        before = m.start() if number > 0 else 0  # before the first line a shell spoke
        self.start = self.at = number * LINE - before
        self.moved = time.monotonic()
        return body[m.start() - before:]

    def compare(self, data):
        true = self.stream.part(self.at, len(data))
        if data != true and self.wrong is None:
            k = next(i for i in range(len(data)) if data[i:i + 1] != true[i:i + 1])
            self.wrong = "differs at %d: %r instead of %r" % (self.at + k, data[k:k + 80], true[k:k + 80])
        self.at += len(data)
        self.hash.update(data)
        now = time.monotonic()
        self.pause = max(self.pause, now - self.moved)
        self.moved = now
