"""Ten thousand machines at one relay: how fast they enrol, and come back after all
of them were cut off at once; and that one who is shut out meanwhile is out soon."""
import json
import os
import re
import subprocess
import time

from lab import Failed, free_port, say, wait_for
from memory import rss
from ours import BUILD, built
from term import Term

CROWD = BUILD + "/bench/crowd"
FLIGHTS = 128           # handshakes at a time, below what one address may have
LIMIT_S = 600


def run(lab, ours, peers, report, quick):
    count = 500 if quick else 10000
    built(CROWD, CROWD)
    say("crowd: %d machines" % count)
    relay = Relay(lab, ours, count)
    empty = rss(relay.process.pid)
    crowd = Crowd(lab, relay.join_string(count), count)
    try:
        enrolled = crowd.answer()
        online = rss(relay.process.pid)
        crowd.say("again")
        revoked_ms = relay.revoke_one()
        again = crowd.answer()
        figures(lab, peers, report, enrolled, again)
        report.add("crowd_relay_rss", "KiB", [(online - empty) / count], n=count, bar="ours <= 64",
                   all_kib=online)
        report.add("crowd_revoked", "ms", [revoked_ms], bar="ours <= 1000")
    finally:
        crowd.end()
        lab.end(relay.process)


def figures(lab, peers, report, enrolled, again):
    logins = None
    if peers:
        took = lab.probe("spawn", 80, 8, "", "--", *peers.direct("true"))[-1]
        logins = [80 / (took / 1e9)]
    for name, f in (("enrol", enrolled), ("reconnect", again)):
        if f["failed"]:
            raise Failed("%d machines of %d did not come in" % (f["failed"], f["count"] + f["failed"]))
        report.add("crowd_%s_rate" % name, "1/s", [f["count"] / f["seconds"]], logins,
                   "ssh logins, eight at a time", f["count"])
        report.add("crowd_%s_p99" % name, "ms", [f["p99_ms"]], n=f["count"], p50=f["p50_ms"], at_a_time=FLIGHTS)


class Relay:
    """A relay of its own, with a place for each; and one machine with an operator."""

    def __init__(self, lab, ours, count):
        self.lab, self.ours = lab, ours
        self.env = ours.env_in("crowd")
        self.process = lab.start([ours.full, "server", "--listen-grpc", "127.0.0.1:%d" % free_port(),
                                  "--listen-api", "127.0.0.1:%d" % free_port(),
                                  "--max-connections", str(count + 500)], "crowd-relay.log", self.env)
        wait_for("the relay is ready", 10, lambda: "relay ready" in lab.log("crowd-relay.log"))

    def join_string(self, uses):
        return self.lab.run([self.ours.full, "server", "join-key", "--uses", str(uses)], self.env).strip()

    def server(self, *words):
        return self.lab.run([self.ours.full, "server", *words], self.env)

    def revoke_one(self):
        """From the command that revokes a token until the session on it is told."""
        machine = self.ours.env_in("crowd-machine")
        self.ours.join(machine, "crowd-shell", self.join_string(1))
        agent = self.lab.start(self.ours.agent_argv(), "crowd-agent.log", machine)
        wait_for("the agent is connected", 60, lambda: "event=relay.online" in self.lab.log("crowd-agent.log"))
        term = Term(self.lab, [self.ours.edge, "connect", "--new", "crowd-shell"], self.env)
        try:
            term.prompt()
            token = re.search(r"^([0-9a-f]{8})\S*\s+.*first sign-in", self.server("token", "list"), re.M)
            if token is None:
                raise Failed("the token of the first sign-in is not listed")
            start = time.monotonic()
            self.server("token", "revoke", token.group(1))
            term.process.wait(30)
            return (time.monotonic() - start) * 1000
        finally:
            term.close()
            self.lab.end(agent)
            self.lab.run([self.ours.edge, "agent", "stop", "--all"], machine)


class Crowd:
    def __init__(self, lab, join_string, count):
        self.process = subprocess.Popen([os.path.abspath(CROWD), str(count), str(FLIGHTS)], env=lab.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.say(join_string)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the crowd ended: status %s" % self.process.wait())
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        self.process.wait(LIMIT_S)
