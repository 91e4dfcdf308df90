"""TLS, HTTP/2 and gRPC by hand, good and bad, for peers that no library would play."""
import os
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4

# Frame{hello{role=OPERATOR version_min=1 version_max=1}}
HELLO = bytes.fromhex("0a06080210011801")


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name, value):
    """A literal without indexing and without Huffman code, RFC 7541 6.2.2."""
    out = b"\x00"
    for s in (name, value):
        assert len(s) < 127
        out += bytes([len(s)]) + s.encode()
    return out


def headers(pairs, flags=END_HEADERS, stream=1):
    return frame(HEADERS, b"".join(header(n, v) for n, v in pairs), flags, stream)


def call(path="/cmdop.agent.v1.Mesh/Connect", stream=1, more=()):
    return headers([(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
                    ("te", "trailers"), ("content-type", "application/grpc"), *more], stream=stream)


def message(body, length=None, compressed=0):
    """One gRPC message; the length may lie."""
    return struct.pack(">BI", compressed, len(body) if length is None else length) + body


def start(path="/cmdop.agent.v1.Mesh/Connect", more=()):
    """All that goes before the first message of a call."""
    return PREFACE + frame(SETTINGS) + call(path, more=more)


def tls(sock, alpn=("h2",)):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    return ctx.wrap_socket(sock, server_hostname="localhost")


def dial(port, seconds=15, source=None):
    return socket.create_connection(("127.0.0.1", int(port)), seconds, source)


def rest(sock):
    """What comes until the other side closes; None when it does not."""
    got = b""
    try:
        while True:
            b = sock.recv(65536)
            if not b:
                return got
            got += b
    except socket.timeout:
        return None
    except OSError:  # reset: closed as well
        return got


def server_context(folder):
    """A certificate of our own, as a relay that is none would have."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)
    ctx.set_alpn_protocols(["h2"])
    return ctx
