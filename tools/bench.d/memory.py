"""What lies in memory, and what wakes up."""
import os
import time

from echo import close_all
from lab import Failed, descendants_of, free_port, is_keeper, name_of, say, wait_for
from report import median, rounds
from term import Term, peer_running, script

SETTLE_S = 2
BEAT_S = 30             # an agent's heartbeat
QUIET_S = 25            # fits between two heartbeats
SESSION_OUTPUT = 2000000
PUBLISHED = {"dtach, KiB": 177, "tmux, KiB": 124, "screen, KiB": 530}  # PSS for one session of ten


def field(pid, file, name):
    with open("/proc/%d/%s" % (pid, file)) as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise Failed("%d has no %s" % (pid, name))


def rss(pid):
    """KiB. Not VmRSS, which the kernel keeps only roughly."""
    return field(pid, "smaps_rollup", "Rss")


def pss(pid):
    return field(pid, "smaps_rollup", "Pss")


def beside_ring(pid):
    """Pss of a keeper without the block that it shares with its agent, KiB; and
    what of it is nobody else's."""
    total, own, counts = 0, 0, True
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            word = line.split()
            if not word[0].endswith(":"):       # a mapping begins: addresses, ..., name
                counts = not (len(word) > 5 and word[5].startswith("/memfd:"))
            elif counts and word[0] == "Pss:":
                total += int(word[1])
            elif counts and word[0].startswith("Private_"):
                own += int(word[1])
    return total, own


def forget_file(path):
    """A program that was just linked lies in memory in larger pieces than one that
    was read from the disk, and is mapped in them. Let it be read."""
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def keepers_of(agent):
    return [beside_ring(p) for p in descendants_of(agent.pid) if is_keeper(p)]


def kb(kib):
    return kib * 1.024


def switches(pid):
    return field(pid, "status", "voluntary_ctxt_switches") + field(pid, "status", "nonvoluntary_ctxt_switches")


def tree(root, name):
    """A process and those it started that carry this name."""
    return [root] + [p for p in descendants_of(root) if name_of(p) == name]


def run(lab, ours, peers, report, quick):
    idle(ours, peers, report, 1 if quick else 3)
    session(lab, ours, peers, report, 4 if quick else 8)
    wakeups(ours, report)


def idle(ours, peers, report, times):
    say("memory: idle agent, %d times" % times)

    def fresh():
        ours.stop_agent()
        forget_file(ours.edge)
        ours.start_agent()
        time.sleep(SETTLE_S)
        return rss(ours.agent.pid), pss(ours.agent.pid)
    got = rounds(times, {"ours": fresh})["ours"]
    peer = [kb(rss(peers.reverse.pid))] * times if peers else None
    peer_pss = [kb(pss(peers.reverse.pid))] * times if peers else None
    report.add("memory_agent_rss", "KB", [kb(r) for r, _ in got], peer, "ssh -R", times, "ours <= 1000")
    report.add("memory_agent_pss", "KB", [kb(p) for _, p in got], peer_pss, "ssh -R", times)


def session(lab, ours, peers, report, count):
    """Each has put more through than its ring holds, and nobody is attached.
    Counted: the agent and all of ours that it started, not the shell."""
    say("memory: %d sessions" % count)
    text = "head -c %d /dev/zero | tr '\\000' x\nprintf '@@%%s@@' done\nexec sleep 600" % SESSION_OUTPUT
    path = script(lab, "fill.sh", text)
    before = sum(rss(p) for p in tree(ours.agent.pid, "cmdop"))
    alone = None
    for _ in range(count):
        term = Term(lab, ours.session_argv(), ours.env)
        term.prompt()
        term.type(b" unset HISTFILE; exec sh " + path.encode() + b"\r")
        term.expect(b"@@done@@")
        term.type(b"\r~.")
        term.process.wait(10)
        term.close()
        alone = alone or keepers_of(ours.agent)
    after = sum(rss(p) for p in tree(ours.agent.pid, "cmdop"))
    alive = ours.status()["sessions"]
    if alive != count:
        raise Failed("%d sessions of %d are there" % (alive, count))
    keepers = keepers_of(ours.agent)
    if len(keepers) != count or len(alone) != 1:
        raise Failed("%d keepers of %d are there" % (len(keepers), count))
    peer = None
    if peers:
        root = peers.target_sshd.pid
        old = sum(rss(p) for p in tree(root, "sshd"))
        term = peer_running(lab, peers.direct("exec sh " + path, options=("-tt",)))
        term.expect(b"@@done@@")
        peer = [kb(sum(rss(p) for p in tree(root, "sshd")) - old)]
        term.close()
    report.add("memory_session", "KB", [kb(after - before) / count], peer, "sshd, one session (no ring)", count,
               "ours <= 1200")
    report.add("memory_keeper_pss", "KB", [kb(total) for total, _ in keepers], bar="ours <= 150",
               own=round(median([kb(own) for _, own in keepers])), published=PUBLISHED)
    report.add("memory_keeper_pss_alone", "KB", [kb(alone[0][0])], bar="ours <= 150")
    close_all({}, ours)


def wakeups(ours, report):
    """Nothing asks it anything meanwhile; the kernel counts."""
    say("memory: wake-ups in %d s" % QUIET_S)
    ours.stop_agent()
    ours.start_agent()
    time.sleep(SETTLE_S)
    before = switches(ours.agent.pid)
    time.sleep(QUIET_S)
    report.add("wakeups_agent", "per %d s" % QUIET_S, [switches(ours.agent.pid) - before], bar="ours = 0")


# ---- a fleet

def fleet(lab, ours, peers, report, quick):
    count = 100 if quick else 1000
    say("fleet: %d agents" % count)
    relay = Fleet(lab, ours, count)
    empty = rss(relay.relay.pid)
    taken = relay.start_agents()
    time.sleep(5)
    online = rss(relay.relay.pid)
    time.sleep(BEAT_S + 5)      # each has sent a heartbeat
    beaten = rss(relay.relay.pid)
    agents = sorted(rss(p.pid) for p in relay.agents)
    relay.close()
    peer = per_tunnel(peers, 10) if peers else None
    report.add("memory_relay_agent", "KiB", [(beaten - empty) / count], peer, "relay sshd, one ssh -R (PSS)", count,
               "ours <= 64", empty=empty, before_heartbeat=round((online - empty) / count, 1),
               agents_rss=[agents[0], agents[len(agents) // 2], agents[-1]], all_online_s=round(taken, 2))


def per_tunnel(peers, count):
    """PSS: the processes of one connection share most pages with the others'."""
    lab, root = peers.lab, peers.relay_sshd.pid
    before = sum(pss(p) for p in tree(root, "sshd"))
    clients = []
    for _ in range(count):
        argv = peers.ssh(peers.relay, "-N", "-v", "-R", "127.0.0.1:0:127.0.0.1:9")
        clients.append(lab.start(argv, "tunnels.log"))
    wait_for("the tunnels are there", 30, lambda: lab.log("tunnels.log").count("remote forward success") >= count)
    after = sum(pss(p) for p in tree(root, "sshd"))
    for client in clients:
        lab.end(client)
    return [(after - before) / count]


class Fleet:
    """A relay of its own, and many agents enrolled at it."""

    def __init__(self, lab, ours, count):
        self.lab, self.ours = lab, ours
        self.env = ours.env_in("fleet")
        self.argv = [ours.full, "server", "--listen-grpc", "127.0.0.1:%d" % free_port(),
                     "--listen-api", "127.0.0.1:%d" % free_port()]
        self.agents = []
        self.start()
        key = lab.run([ours.full, "server", "join-key", "--uses", str(count)], self.env).strip()
        self.envs = [ours.env_in("fleet-%d" % i) for i in range(count)]
        for i, env in enumerate(self.envs):
            ours.join(env, "fleet-%d" % i, key)
        lab.end(self.relay)     # enrolling leaves traces in its memory
        self.start()
        time.sleep(SETTLE_S)

    def start(self):
        before = self.lab.log("fleet-relay.log").count("relay ready")
        self.relay = self.lab.start(self.argv, "fleet-relay.log", self.env)
        wait_for("the fleet's relay is ready", 10,
                 lambda: self.lab.log("fleet-relay.log").count("relay ready") > before)

    def start_agents(self):
        """Seconds until the last of them is online."""
        begin = time.monotonic()
        for env in self.envs:
            self.agents.append(self.lab.start(self.ours.agent_argv(), "fleet.log", env))
        wait_for("all agents are online", 120,
                 lambda: self.lab.log("fleet.log").count("event=relay.online") >= len(self.envs))
        return time.monotonic() - begin

    def close(self):
        for process in self.agents:
            process.terminate()
        for process in self.agents + [self.relay]:
            self.lab.end(process)


# ---- size

def size(lab, ours, peers, report, quick):
    with open(ours.edge, "rb") as f:
        if b".symtab" in f.read():
            raise Failed("the edge program is not stripped")
    peer = [os.path.getsize("/usr/sbin/sshd") / 1000 + os.path.getsize("/usr/bin/ssh") / 1000] if peers else None
    report.add("size_edge", "KB", [os.path.getsize(ours.edge) / 1000], peer,
               "sshd and ssh, without their libraries", 1, "ours <= 700")
