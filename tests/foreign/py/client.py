"""An operator on grpcio: signs in at our relay, runs a command on a machine, lists the machines.

Arguments: port, the relay's folder, the sign-ins as JSON, name of a machine, a folder for scratch.
mesh_pb2, made by protoc, is on the path.
"""
import base64
import hashlib
import json
import os
import queue
import ssl
import struct
import subprocess
import sys
import time

import grpc

import mesh_pb2 as pb

PORT, SERVER, CREDENTIALS, HOST, SCRATCH = sys.argv[1:]
WINDOW = 65536


def fact(name, holds, *remarks):
    print("ok" if holds else "not ok", "grpcio:", name)
    for r in remarks if not holds else ():
        print("  ", str(r).replace("\n", " "))


def field(value):
    return struct.pack(">I", len(value)) + value


def relay_bytes(hello, c, binding):
    """What the relay signed, RFC 5929's tls-server-end-point included."""
    label = b"cmdop.agent.v1 relay challenge"
    fields = (label, hello, c.nonce, c.relay_key, struct.pack(">q", c.relay_time_ms), struct.pack(">I", c.version), binding)
    return label + hashlib.sha256(b"".join(map(field, fields))).digest()


def verified(data, key, signature):
    """Ed25519 by the openssl program: grpcio brings none."""
    files = {"key": bytes.fromhex("302a300506032b6570032100") + key, "data": data, "sig": signature}
    for name, content in files.items():
        with open(os.path.join(SCRATCH, name), "wb") as f:
            f.write(content)
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in",
                           "data", "-sigfile", "sig"], cwd=SCRATCH, capture_output=True).returncode == 0


class Link:
    def __init__(self, channel):
        self.out = queue.Queue()
        self.call = channel.stream_stream("/cmdop.agent.v1.Mesh/Connect", request_serializer=lambda b: b,
                                          response_deserializer=lambda b: b)(iter(self.out.get, None))

    def send(self, **body):
        data = pb.Frame(**body).SerializeToString()
        self.out.put(data)
        return data

    def next(self):
        """The kind of the next frame and its body; "end" when the call is over."""
        try:
            f = pb.Frame.FromString(next(self.call))
        except (StopIteration, grpc.RpcError):
            return "end", self.call.code()
        kind = f.WhichOneof("body")
        return kind, getattr(f, kind)

    def sign_in(self, token):
        hello = self.send(hello=pb.Hello(role=pb.ROLE_OPERATOR, version_min=1, version_max=1, software="foreign/py",
                                       nonce=os.urandom(32)))
        kind, self.challenge = self.next()
        assert kind == "challenge", kind
        self.signed = relay_bytes(hashlib.sha256(hello).digest(), self.challenge, BINDING)
        self.send(proof=pb.Proof(token=token))
        return self.next()


class Output:
    """One channel's output, as it must come: in order, within what was granted."""

    def __init__(self, link, channel):
        self.link, self.channel = link, channel
        self.data, self.fin, self.limit, self.faults = [b"", b""], [False, False], [WINDOW, WINDOW], []

    def take(self, d):
        i = d.stream
        if d.offset != len(self.data[i]):
            self.faults.append("offset %d where %d was due" % (d.offset, len(self.data[i])))
        self.data[i] += d.payload
        self.fin[i] |= d.fin
        end = len(self.data[i])
        if end > self.limit[i]:
            self.faults.append("%d bytes where %d were granted" % (end, self.limit[i]))
        if self.limit[i] - end < WINDOW // 2:
            self.limit[i] = end + WINDOW
            self.link.send(credit=pb.Credit(channel=self.channel, stream=i, ack=end, limit=self.limit[i]))


def talk(link, channel, opening, words=b""):
    """Open a channel, say the words, take all that comes: Accept, output, what ended it."""
    output, accept = Output(link, channel), None
    link.send(open=opening)
    while True:
        kind, body = link.next()
        if kind == "accept":
            accept = body
            link.send(data=pb.Data(channel=channel, offset=body.in_offset, payload=words, fin=True))
        elif kind == "data":
            output.take(body)
        elif kind in ("close", "reject", "end"):
            return accept, output, kind, body


def exec_open(channel, *argv):
    return pb.Open(channel=channel, kind=pb.KIND_EXEC, target=HOST, window=WINDOW,
                   params=pb.ExecOpen(argv=[a.encode() for a in argv]).SerializeToString())


def records(data):
    out, at = [], 0
    while at < len(data):
        length = shift = 0
        while True:
            b = data[at]
            at += 1
            length |= (b & 0x7F) << shift
            shift += 7
            if not b & 0x80:
                break
        out.append(pb.MachineInfo.FromString(data[at:at + length]))
        at += length
    return out


def main():
    with open(CREDENTIALS) as f:
        file = json.load(f)
    server = [s for s in file["servers"] if s["name"] == file["current"]][0]
    pin = base64.urlsafe_b64decode(server["pin"] + "=")
    with open(os.path.join(SERVER, "ca.pem"), "rb") as f:
        ca = f.read()
    channel = grpc.secure_channel("127.0.0.1:" + PORT, grpc.ssl_channel_credentials(ca),
                                  [("grpc.ssl_target_name_override", "localhost")])
    link = Link(channel)
    kind, welcome = link.sign_in(server["token"])
    fact("the relay holds the pinned key", link.challenge.relay_key == pin)
    fact("its signature covers Hello and the certificate", verified(link.signed, pin, link.challenge.signature))
    other = link.signed[:-1] + bytes([link.signed[-1] ^ 1])
    fact("and nothing else fits it", not verified(other, pin, link.challenge.signature))
    fact("its clock is told", abs(link.challenge.relay_time_ms / 1000 - time.time()) < 60)
    fact("the token is welcome", kind == "welcome" and welcome.user == server["user"], kind, welcome)
    link.send(ping=pb.Ping(token=4711))
    kind, pong = link.next()
    fact("Ping is answered", kind == "pong" and pong.token == 4711, kind, pong)

    accept, output, kind, body = talk(link, 1, exec_open(1, "sh", "-c", "cat; seq 1 400000; echo err >&2; exit 7"), b"hello\n")
    want = b"hello\n" + b"".join(b"%d\n" % i for i in range(1, 400001))
    fact("the command is accepted", accept is not None, kind, body)
    fact("2.7 MB of output in order, within the credit", not output.faults, *output.faults[:5])
    fact("and the right ones", output.data[0] == want, len(output.data[0]))
    fact("standard error apart", output.data[1] == b"err\n", output.data[1])
    fact("both streams end, then comes the exit status", output.fin == [True, True] and kind == "close"
         and body.exit_status == 7, kind, body)

    _, _, kind, body = talk(link, 3, exec_open(3, "no-such-program"))
    fact("a program that is not there is refused with its code", kind == "reject" and body.code == pb.CODE_NO_PROGRAM, kind, body)
    _, output, kind, body = talk(link, 5, pb.Open(channel=5, kind=pb.KIND_RPC, window=WINDOW,
                                                  params=pb.RpcOpen(method="machines.list").SerializeToString()))
    machines = records(output.data[0])
    fact("machines.list", [(m.name, m.online) for m in machines] == [(HOST, True)], kind, machines)
    link.out.put(None)
    kind, code = link.next()
    fact("the call ends with status OK", kind == "end" and code == grpc.StatusCode.OK, kind, code)

    stranger = Link(channel)
    kind, refusal = stranger.sign_in("cmdop_nobody")
    fact("a wrong token is refused with code and remedy", kind == "refuse" and refusal.code == pb.CODE_AUTH
         and refusal.message != "" and refusal.remedy != "", kind, refusal)
    stranger.out.put(None)
    channel.close()


with open(os.path.join(SERVER, "server.pem")) as f:
    BINDING = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).digest()
main()
