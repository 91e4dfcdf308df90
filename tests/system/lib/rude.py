"""Servers that are no relay."""
import os, threading
from facts import T
from wire import *

# Challenge{nonce, relay_key, relay_time_ms=1, version=1, signature} of 138 bytes
CHALLENGE_OF_NOBODY = (b"\x12\x8a\x01" + b"\x0a\x20" + b"n" * 32 + b"\x12\x20" + b"k" * 32 + b"\x18\x01\x20\x01"
                       + b"\x2a\x40" + b"s" * 64)
OK = headers([(":status", "200"), ("content-type", "application/grpc")])

def say(body):
    return frame(SETTINGS) + OK + frame(DATA, message(body), stream=1)

KINDS = {
    "noise without TLS": (False, os.urandom(4096)),
    "HTTP/1 without TLS": (False, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "SSH": (False, b"SSH-2.0-OpenSSH_9.2\r\n"),
    "the end at once": (False, b""),
    "HTTP/1 in TLS": (True, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "noise in TLS": (True, os.urandom(65536)),
    "noise after SETTINGS": (True, frame(SETTINGS) + os.urandom(65536)),
    "status 404": (True, frame(SETTINGS) + headers([(":status", "404")], END_HEADERS | END_STREAM)),
    "a web page": (True, frame(SETTINGS) + headers([(":status", "200"), ("content-type", "text/html")])
                   + frame(DATA, b"<html>" * 100, END_STREAM, 1)),
    "GOAWAY": (True, frame(SETTINGS) + frame(GOAWAY, b"\0" * 8)),
    "a gRPC message of 4 GiB": (True, frame(SETTINGS) + OK + frame(DATA, message(b"", 0xFFFFFFFF) + b"x" * 100, stream=1)),
    "a message that is no Frame": (True, say(b"\xff" * 50)),
    "Data before Challenge": (True, say(bytes.fromhex("9a01020801"))),
    "Welcome before Challenge": (True, say(b"\x22\x02\x0a\x00")),
    "the Challenge of another key": (True, say(CHALLENGE_OF_NOBODY)),
    "a headers flood": (True, frame(SETTINGS) + frame(HEADERS, header("a", "b"), 0, 1)
                        + frame(CONTINUATION, header("x", "y" * 100) * 100, 0, 1) * 1000),
}

class Rude(threading.Thread):
    """Answers every connection with the same words."""

    def __init__(self, kind, port=0):
        super().__init__(daemon=True)
        self.tls, self.words = KINDS[kind]
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.count = 0
        self.start()

    def run(self):
        ctx = server_context(T)
        while True:
            s, _ = self.listener.accept()
            self.count += 1
            try:
                s.settimeout(2)
                if self.tls:
                    s = ctx.wrap_socket(s, server_side=True)
                    s.recv(24)
                s.sendall(self.words)
                if self.words:
                    rest(s)
            except OSError:
                pass
            s.close()
