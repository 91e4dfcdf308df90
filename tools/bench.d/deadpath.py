"""Packets vanish for a while and nobody is told: how long after they pass again
until a key is echoed. Three hosts behind a router, each a name space; ours and ssh
go through the same outage.

    operator 10.9.1.2 ---.              ours: operator -> relay <- machine
    relay    10.9.2.2 --- router        ssh:  operator -> machine
    machine  10.9.3.2 ---'
"""
import os
import shutil
import subprocess
import time

from echo import close_all
from lab import PATH, Failed, free_port, say, wait_for
from ours import Ours
from report import rounds
from term import first_echo, ours_running, peer_running, script

HOSTS = {"operator": 1, "relay": 2, "machine": 3}
TYPED_S = 1             # after the path has died
REST_S = 2              # for TCP to forget the last outage
ECHO_S = 90
# Taken once, a key every 50 ms all along; not in this run.
PUBLISHED = {10: {"mosh": 14.8, "Eternal Terminal": 3192, "ssh": 3107},
             30: {"mosh": 14.5, "Eternal Terminal": 24233, "ssh": 23689}}


def run(lab, ours, peers, report, quick):
    if os.getuid() != 0:
        return report.skip("deadpath", "network name spaces need root")
    if not shutil.which("ip", path=PATH):
        return report.skip("deadpath", "there is no ip; apt-get install iproute2")
    roads = Roads(lab)
    town = Town(lab, roads)
    for seconds, times in ((10, 1 if quick else 3), (30, 1 if quick else 2)):
        outages(lab, town, peers, report, seconds, times)
    town.close()
    roads.close()


class Roads:
    """The name spaces and what connects them; all goes when their processes end."""

    def __init__(self, lab):
        self.lab = lab
        self.router = self.apart("router")
        self.run("router", "sh", "-c", "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.hosts = {}
        for name, number in HOSTS.items():
            self.connect(name, number)

    def apart(self, name):
        holder = self.lab.start(["unshare", "-n", "sleep", "3600"], "deadpath.log")

        def entered():
            if holder.poll() is not None:
                raise Failed("no network name spaces here: " + self.lab.log("deadpath.log").strip())
            return os.readlink("/proc/%d/ns/net" % holder.pid) != os.readlink("/proc/self/ns/net")
        wait_for("%s is apart" % name, 5, entered)
        return holder

    def inside(self, name, argv):
        holder = self.router if name == "router" else self.hosts[name]
        return ["nsenter", "-t", str(holder.pid), "-n"] + list(argv)

    def run(self, name, *argv, env=None):
        return self.lab.run(self.inside(name, argv), env)

    def connect(self, name, number):
        """Neighbours know each other for good: a router that drops by rule answers
        no ARP either, and the next question comes a second later."""
        holder = self.hosts[name] = self.apart(name)
        mac = ["02:00:0a:09:%02x:%02x" % (number, end) for end in (1, 2)]
        self.run("router", "ip", "link", "add", "name", "out%d" % number, "address", mac[0],
                 "type", "veth", "peer", "name", "out", "address", mac[1], "netns", str(holder.pid))
        self.attach("router", "out%d" % number, number, 1, mac[1])
        self.attach(name, "out", number, 2, mac[0])
        self.run(name, "sh", "-c", "ip link set lo up; ip route add default via 10.9.%d.1" % number)

    def attach(self, name, link, number, end, mac):
        self.run(name, "sh", "-ec", "ip addr add 10.9.{n}.{us}/24 dev {link}; ip link set {link} up; "
                 "ip neigh add 10.9.{n}.{they} lladdr {mac} dev {link} nud permanent".format(
                     n=number, us=end, they=3 - end, link=link, mac=mac))

    def close(self):
        for holder in list(self.hosts.values()) + [self.router]:
            self.lab.end(holder)


class DeadPath:
    """Until `mend` the router forwards nothing from and to a host, and says nothing.
    A program waits there for commands, so that mending takes no start."""

    def __init__(self, roads, name):
        self.host = "10.9.%d.2" % HOSTS[name]
        self.ip = subprocess.Popen(roads.inside("router", ["ip", "-batch", "-"]), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=roads.lab.env)
        self.rules("add")

    def rules(self, verb):
        """It prints the rules that are there then, the one called default last."""
        for way in ("from", "to"):
            self.ip.stdin.write(b"rule %s %s %s blackhole\n" % (verb.encode(), way.encode(), self.host.encode()))
        self.ip.stdin.write(b"rule show\n")
        self.ip.stdin.flush()
        for line in self.ip.stdout:
            if b"lookup default" in line:
                return
        raise Failed("the router did not do as it was told")

    def mend(self):
        self.rules("del")
        return time.monotonic()

    def end(self):
        self.ip.stdin.close()
        self.ip.wait(10)
        self.ip.stdout.close()


class Town(Ours):
    """Ours, each part at its host."""

    def __init__(self, lab, roads):
        self.roads = roads
        super().__init__(lab, "town")

    def relay_argv(self):
        address = "10.9.2.2:%d" % self.port
        return self.roads.inside("relay", [self.full, "server", "--listen-grpc", address, "--address", address,
                                           "--listen-api", "127.0.0.1:%d" % self.api])

    def agent_argv(self):
        return self.roads.inside("machine", super().agent_argv())

    def session_argv(self):
        return self.roads.inside("operator", super().session_argv())

    def join(self, env, name, key):
        self.roads.run("machine", self.edge, "join", "--name", name, key, env=env)


class Sshd:
    """At the machine; its client at the operator's."""

    def __init__(self, town, peers):
        self.town, self.peers = town, peers
        self.port = free_port()
        argv = town.roads.inside("machine", peers.sshd_argv("town", self.port, "10.9.3.2"))
        self.process = town.lab.start(peers.at_home(argv), "sshd_town.log")
        wait_for("sshd listens", 10, lambda: "listening" in town.lab.log("sshd_town.log"))

    def argv(self, command):
        return self.town.roads.inside("operator", self.peers.ssh(self.port, "-o", "HostName=10.9.3.2", "-tt") + [command])

    def close(self):
        self.town.lab.end(self.process)


def outages(lab, town, peers, report, seconds, times):
    """In each one somebody types while the path is dead, and another only then."""
    say("deadpath: %d s, %d times each for the operator's path and the machine's" % (seconds, times))
    path = script(lab, "echo.sh", "exec cat")
    sshd = Sshd(town, peers) if peers else None
    terms = {}
    for when in ("typed", "after"):
        terms["ours", when] = ours_running(lab, town, path)
        if peers:
            terms["ssh", when] = peer_running(lab, sshd.argv("exec sh " + path))
    got = rounds(times, {name: lambda name=name: outage(town.roads, name, terms, seconds)
                         for name in ("operator", "machine")})
    close_all(terms, town)
    if peers:
        sshd.close()
    for name, took in got.items():
        for when in ("typed", "after"):
            ms = {who: [t[who, when] for t in took] for who, w in terms if w == when}
            known = {"published": PUBLISHED[seconds]} if when == "typed" else {}
            report.add("deadpath_%ds_%s_%s" % (seconds, name, when), "ms", ms["ours"], ms.get("ssh"), "ssh", times,
                       "ours <= 300", **known)


def outage(roads, name, terms, seconds):
    time.sleep(REST_S)
    dead = DeadPath(roads, name)
    time.sleep(TYPED_S)
    for (_, when), term in terms.items():
        if when == "typed":
            term.type(b"@")
    time.sleep(seconds - TYPED_S)
    start = dead.mend()
    for (_, when), term in terms.items():
        if when == "after":
            term.type(b"@")
    took = first_echo(terms, start, seconds=ECHO_S)
    dead.end()
    return took
