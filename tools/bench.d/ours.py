"""Our side: a relay (full), agents and the CLI (edge)."""
import json
import os
import shutil
import time

from lab import Failed, free_port, wait_for

BUILD = os.environ.get("BUILD", "build/linux-x86_64")
EDGE = os.path.abspath(os.environ.get("CMDOP_EDGE", BUILD + "/edge/cmdop"))
FULL = os.path.abspath(os.environ.get("CMDOP_FULL", BUILD + "/full/cmdop"))
HOST = "bench"


def built(program, target):
    """The program; or a word on what builds it."""
    if not os.path.exists(program):
        raise Failed("%s is not there: `make %s` builds it" % (program, target))
    return program


def copied(lab, program, name):
    path = lab.path(name)
    return path if os.path.exists(path) else shutil.copy(built(program, "all"), path)


class Ours:
    """A relay and one agent enrolled at it. Copies of the programs are
    measured, so that a build meanwhile does not change them."""

    def __init__(self, lab, place="ours"):
        self.lab = lab
        self.edge = copied(lab, EDGE, "cmdop")
        self.full = copied(lab, FULL, "cmdop-full")
        self.port, self.api = free_port(), free_port()
        self.env = self.env_in(place)
        self.relay_log, self.agent_log = place + "-relay.log", place + "-agent.log"
        self.relay = self.agent = None
        self.start_relay()
        self.join(self.env, HOST, self.join_key())
        self.start_agent()

    def env_in(self, name):
        """The environment of an own user: configuration, state, sockets."""
        env = dict(self.lab.env)
        for kind in ("CONFIG", "STATE", "RUNTIME"):
            leaf = "XDG_RUNTIME_DIR" if kind == "RUNTIME" else "XDG_%s_HOME" % kind
            env[leaf] = self.lab.folder(name, kind[0].lower())
        return env

    # ---- processes

    def relay_argv(self):
        return [self.full, "server", "--listen-grpc", "127.0.0.1:%d" % self.port,
                "--listen-api", "127.0.0.1:%d" % self.api]

    def agent_argv(self):
        return [self.edge, "agent", "start", "--foreground"]

    def start_relay(self):
        before = self.lab.log(self.relay_log).count("relay ready")
        self.relay = self.lab.start(self.relay_argv(), self.relay_log, self.env)
        wait_for("the relay is ready", 10, lambda: self.lab.log(self.relay_log).count("relay ready") > before)

    def stop_relay(self):
        self.lab.end(self.relay)

    def start_agent(self):
        before = self.lab.log(self.agent_log).count("event=relay.online")
        self.agent = self.lab.start(self.agent_argv(), self.agent_log, self.env)
        wait_for("the agent is connected", 10,
                 lambda: self.lab.log(self.agent_log).count("event=relay.online") > before)

    def stop_agent(self):
        self.lab.end(self.agent)
        self.lab.run([self.edge, "agent", "stop", "--all"], self.env)

    def close(self):
        self.stop_agent()
        self.stop_relay()

    def join_key(self, uses=1):
        return self.lab.run([self.full, "server", "join-key", "--uses", str(uses)], self.env).strip()

    def join(self, env, name, key):
        self.lab.run([self.edge, "join", "--name", name, key], env)

    def online(self):
        listing = self.lab.run([self.edge, "connect", "--list", "--online", "--json"], self.env)
        return [m["name"] for m in json.loads(listing)["machines"]]

    def status(self):
        return json.loads(self.lab.run([self.edge, "agent", "status", "--json"], self.env))

    # ---- command lines

    def exec_argv(self, *argv):
        return [self.edge, "connect", "exec", HOST, "--"] + list(argv)

    def session_argv(self):
        return [self.edge, "connect", "--new", HOST]

    def back_argv(self):
        """To the session that is there."""
        return [self.edge, "connect", HOST]

    def tickets(self):
        return os.path.join(self.env["XDG_RUNTIME_DIR"], "cmdop", "ticket-*")

    def settle(self):
        """No session and no job is left at the agent."""
        def idle():
            s = self.status()
            return s["sessions"] == 0 and s["jobs"] == 0
        try:
            wait_for("the agent is idle", 5, idle)
        except Failed:
            self.stop_agent()
            self.start_agent()
        time.sleep(0.1)
