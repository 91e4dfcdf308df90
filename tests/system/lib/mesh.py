"""An operator of the mesh, by hand, and the relay's store behind its back."""
import hashlib
import os
import re
import select
import signal
import sqlite3
import ssl
import time
import uuid

from facts import T
from wire import *

HELLO_, CHALLENGE, PROOF, WELCOME, REFUSE, PING, PONG, DRAIN = range(1, 9)
OPEN, ACCEPT, REJECT, DATA_, CREDIT, EVENT, CLOSE = range(16, 23)
PTY, EXEC, FILE, TCP, ASK, RPC = range(1, 7)
AUTH, DENIED, NOT_FOUND, AMBIGUOUS, OFFLINE, LIMIT, UNSUPPORTED = range(3, 10)
PROTOCOL = 1


def varint(n):
    out = b""
    while True:
        out += bytes([n & 0x7F | (0x80 if n > 0x7F else 0)])
        n >>= 7
        if n == 0:
            return out


def pb(fields):
    """{number: value or list of values}: a message."""
    out = b""
    for number, values in fields.items():
        for v in values if isinstance(values, list) else [values]:
            if isinstance(v, int):
                out += varint(number << 3) + varint(v)
            else:
                v = v.encode() if isinstance(v, str) else v
                out += varint(number << 3 | 2) + varint(len(v)) + v
    return out


def number_at(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 0x7F) << shift
        shift += 7
        i += 1
        if b[i - 1] < 0x80:
            return n, i


def parse(b):
    """A message: {number: the last value}."""
    out, i = {}, 0
    while i < len(b):
        tag, i = number_at(b, i)
        if tag & 7 == 0:
            out[tag >> 3], i = number_at(b, i)
        else:
            n, i = number_at(b, i)
            out[tag >> 3] = b[i:i + n]
            i += n
    return out


class Gone(Exception):
    """The link ended."""


class Mesh:
    """One link; `said` is Welcome or Refuse, as (kind, fields), or with `half` what comes before.
    `more` are further fields of the request, `refused` those of one that is refused before it."""

    def __init__(self, token=None, port=None, source=None, plain=False, more=(), refused=None, half=False):
        s = dial(port or os.environ["PORT"], source=(source, 0) if source else None)
        self.s = s if plain else tls(s)
        self.raw = self.grpc = b""
        self.stream, self.answered = 1, False
        self.channel = -1
        self.frames = []
        hello = pb({HELLO_: pb({1: 2, 2: 1, 3: 1, 7: os.urandom(32)})})
        begin = start(more=more)
        if refused:
            self.s.sendall(start("/nobody", refused))
            while not self.answered:
                self.feed(self.s.recv(65536))
            self.stream, begin = 3, call(stream=3, more=more)
        self.s.sendall(begin + frame(DATA, message(hello), stream=self.stream))
        self.said = self.next()
        if half or self.said[0] == REFUSE:
            return
        assert self.said[0] == CHALLENGE, self.said
        self.send(PROOF, {5: token} if token else {})
        self.said = self.next()

    def send(self, kind, fields):
        self.s.sendall(frame(DATA, message(pb({kind: pb(fields)})), stream=self.stream))

    def next(self, seconds=10):
        """The next Frame: (kind, fields)."""
        end = time.monotonic() + seconds
        while not self.frames:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError()
            waits = isinstance(self.s, ssl.SSLSocket) and self.s.pending()
            if not waits and not select.select([self.s], [], [], left)[0]:
                continue
            got = self.s.recv(65536)
            if not got:
                raise Gone()
            self.feed(got)
        return self.frames.pop(0)

    def feed(self, got):
        self.raw += got
        while len(self.raw) >= 9:
            n = int.from_bytes(self.raw[:3], "big")
            if len(self.raw) < 9 + n:
                break
            self.answered = self.answered or self.raw[3] == HEADERS
            if self.raw[3] == DATA:
                self.grpc += self.raw[9:9 + n]
            self.raw = self.raw[9 + n:]
        while len(self.grpc) >= 5:
            n = int.from_bytes(self.grpc[1:5], "big")
            if len(self.grpc) < 5 + n:
                break
            for kind, body in parse(self.grpc[5:5 + n]).items():
                self.frames.append((kind, parse(body)))
            self.grpc = self.grpc[5 + n:]

    def open(self, kind, target="", params=b"", wait_ms=0):
        """Ask for a channel: its number."""
        self.channel += 2
        self.send(OPEN, {1: self.channel, 2: kind, 3: target, 5: 65536, 6: params, 7: wait_ms})
        return self.channel

    def answer(self, channel, seconds=10):
        """Accept or Reject of that channel; others are passed over."""
        while True:
            kind, f = self.next(seconds)
            if kind in (ACCEPT, REJECT) and f.get(1) == channel:
                return kind, f
            if kind == REFUSE:
                raise Gone(f.get(2, b"").decode())

    def tried(self, kind, target="", params=b"", wait_ms=0):
        """The code of the Reject, or 0 for Accept."""
        kind, f = self.answer(self.open(kind, target, params, wait_ms))
        return f.get(2, 0) if kind == REJECT else 0

    def ask(self, method, target="", request=b"", seconds=10):
        """A question: (0, records), or (code, message)."""
        n = self.open(RPC, target, pb({1: method, 2: request}))
        kind, f = self.answer(n, seconds)
        if kind == REJECT:
            return f.get(2, 0), f.get(3, b"").decode()
        got, records = b"", []
        while True:
            kind, f = self.next(seconds)
            if f.get(1) != n:
                continue
            if kind == DATA_:
                got += f.get(4, b"")
                self.send(CREDIT, {1: n, 3: len(got), 4: len(got) + 65536})
            if kind == CLOSE:
                break
        if 5 in f:
            failure = parse(f[5])
            return failure.get(1, 0), failure.get(2, b"").decode()
        i = 0
        while i < len(got):
            size, i = number_at(got, i)
            records.append(parse(got[i:i + size]))
            i += size
        return 0, records

    def exec(self, target, *argv):
        return self.tried(EXEC, target, pb({1: list(argv)}))

    def ended(self, seconds=10):
        """Wait for the end: (how long it took, what was said last, as text)."""
        begin, words = time.monotonic(), ""
        try:
            while True:
                kind, f = self.next(seconds)
                if kind in (REFUSE, DRAIN):
                    words = (f.get(2) if kind == REFUSE else f.get(1, b"")).decode()
        except (Gone, OSError):
            return time.monotonic() - begin, words
        except TimeoutError:
            return None, words

    def close(self):
        self.s.close()


class Store:
    """The relay's database, changed as another process would."""

    def __init__(self):
        self.path = os.path.join(T, "relay/state/cmdop/server/server.db")

    def do(self, sql, *args):
        db = sqlite3.connect(self.path, 10)
        db.execute("pragma foreign_keys = on")
        rows = db.execute(sql, args).fetchall()
        db.commit()
        db.close()
        return rows

    def tell(self):
        os.kill(int(os.environ["RELAY"]), signal.SIGUSR1)

    def person(self, name):
        i = str(uuid.uuid4())
        self.do("insert into person (id, name, login, created_ms) values (?, ?, ?, 1)", i, name, name)
        return i

    def fleet(self, name):
        i = str(uuid.uuid4())
        self.do("insert into fleet (id, slug, name, created_ms) values (?, ?, ?, 1)", i, name, name)
        return i

    def member(self, fleet, person, role):
        self.do("insert or replace into member (fleet_id, person_id, role, created_ms) values (?, ?, ?, 1)", fleet, person,
                role)

    def token(self, fleet, person, kind=0, scope="", expires_ms=0, created_ms=None):
        """A good token: (secret, id)."""
        secret, i = "cmdop_" + uuid.uuid4().hex * 2, str(uuid.uuid4())
        self.do("insert into token (fleet_id, id, person_id, kind, family, label, scope, hash, created_ms, expires_ms)"
                " values (?, ?, ?, ?, ?, '', ?, ?, ?, ?)", fleet, i, person, kind, i, scope,
                hashlib.sha256(secret.encode()).digest(), created_ms or int(time.time() * 1000), expires_ms)
        return secret, i


def methods():
    """Every method that relay and agent answer, out of their tables."""
    found = set()
    for path in ("src/relay/reply.c", "src/agent/answer.c"):
        with open(path) as f:
            found |= set(re.findall(r'\{"([a-z]+\.[a-z-]+)", *\w', f.read()))
    assert len(found) > 15, found
    return sorted(found)
