"""Start to exit, start to listening, start to registered."""
import os
import subprocess

from lab import free_port, say
from ours import BUILD, HOST
from report import percentile, rounds

MUSL = os.path.abspath(BUILD + "/deps/bin/musl-gcc")


def run(lab, ours, peers, report, quick):
    cli(lab, ours, peers, report, (2, 50) if quick else (7, 200))
    relay(lab, ours, peers, report, (2, 2) if quick else (7, 5))
    agent(lab, ours, peers, report, (2, 2) if quick else (7, 5))


def static_true(lab):
    """The floor: a static program that does nothing, with the libc we use.
    (glibc's start asks the processor for its features, which costs 0.5 ms in a
    virtual machine and is no floor.)"""
    out = lab.path("nothing")
    subprocess.run([MUSL, "-static", "-O2", "-x", "c", "-o", out, "-"], input=b"int main(void) { return 0; }\n",
                   check=True, stderr=subprocess.DEVNULL)
    return out


def cli(lab, ours, peers, report, size):
    times, count = size
    say("start: cli, %d rounds of %d" % size)
    what = {"ours": lambda: lab.probe("spawn", count, 1, "", "--", ours.edge, "version", env=ours.env)}
    try:
        nothing = static_true(lab)
        what["floor"] = lambda: lab.probe("spawn", count, 1, "", "--", nothing)
    except (OSError, subprocess.CalledProcessError):
        say("start: no %s, so no floor" % MUSL)
    if peers:
        what["ssh"] = lambda: lab.probe("spawn", max(10, count // 5), 1, "", "--", "ssh", "-V")
    got = rounds(times, what)
    ms = {k: [percentile(r[:-1], 50) / 1e6 for r in v] for k, v in got.items()}
    report.add("start_cli", "ms", ms["ours"], ms.get("ssh"), "ssh -V", times * count, "ours < 1")
    if "floor" in ms:
        report.add("start_cli", "ms", ms["ours"], ms["floor"], "an empty static program (floor)", times * count)


def many(count, once):
    """Median of `count` runs, ms."""
    return lambda: percentile([once()[0] for _ in range(count)], 50) / 1e6


def relay(lab, ours, peers, report, size):
    """With the state of an earlier start, as after a reboot."""
    times, count = size
    say("start: relay, %d rounds of %d" % size)
    env = ours.env_in("start")
    port = free_port()
    argv = [ours.full, "server", "--listen-grpc", "127.0.0.1:%d" % port,
            "--listen-api", "127.0.0.1:%d" % free_port()]
    lab.probe("line", "relay ready", "--", *argv, env=env)      # makes the state
    what = {"ours": many(count, lambda: lab.probe("listen", port, "--", *argv, env=env)),
            "ready": many(count, lambda: lab.probe("line", "relay ready", "--", *argv, env=env))}
    if peers:
        other = free_port()
        sshd = peers.sshd_argv("start", other)
        what["sshd"] = many(count, lambda: lab.probe("listen", other, "--", *sshd))
        third = free_port()
        dropbear = peers.dropbear_argv(third)
        what["dropbear"] = many(count, lambda: lab.probe("listen", third, "--", *dropbear))
    got = rounds(times, what)
    report.add("start_relay", "ms", got["ours"], got.get("sshd"), "sshd", times * count, "ours <= 20")
    if peers:
        report.add("start_relay", "ms", got["ours"], got["dropbear"], "dropbear", times * count)
    report.add("start_relay_ready", "ms", got["ready"], n=times * count)


def agent(lab, ours, peers, report, size):
    """Until it says that the relay has welcomed it. Which the relay does after
    it has registered it, so this is the later of the two."""
    times, count = size
    say("start: agent, %d rounds of %d" % size)
    env = ours.env_in("start-agent")
    ours.join(env, HOST + "-start", ours.join_key())
    argv = ours.agent_argv()
    what = {"ours": many(count, lambda: lab.probe("line", "event=relay.online", "--", *argv, env=env))}
    if peers:
        argv_ssh = peers.reverse_argv(free_port(), "-v")
        what["ssh"] = many(count, lambda: lab.probe("line", "remote forward success", "--", *argv_ssh))
    got = rounds(times, what)
    report.add("start_agent", "ms", got["ours"], got.get("ssh"), "ssh -R, forwarding granted", times * count,
               "ours <= 30")
