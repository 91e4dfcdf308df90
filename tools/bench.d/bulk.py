"""Much output: through a command, into a command, through a terminal. Every
byte is compared with what was sent."""
import base64
import os

from echo import PEER_NAMES, close_all
from lab import say
from report import rounds
from term import all_running, script

MIB = 1 << 20


def make_file(lab, size):
    path = lab.path("bulk.txt")
    with open(path, "wb") as f:
        for _ in range(size // MIB):
            f.write(base64.b64encode(os.urandom(MIB // 4 * 3)))
    return path


def run(lab, ours, peers, report, quick):
    size = (32 if quick else 256) * MIB
    path = make_file(lab, size)
    out(lab, ours, peers, report, 2 if quick else 5, path, size)
    into(lab, ours, peers, report, 2 if quick else 5, path, size)
    session(lab, ours, peers, report, 2 if quick else 5, path, size)
    os.unlink(path)


def show(report, name, got, size, bars):
    rate = {k: [size / MIB / (r[0] / 1e9) for r in v] for k, v in got.items()}
    for peer, text in list(PEER_NAMES.items()) + [("relayed_gcm", "ssh through a relay sshd, aes128-gcm"),
                                                  ("direct_gcm", "ssh, aes128-gcm")]:
        if peer in rate:
            report.add(name, "MiB/s", rate["ours"], rate[peer], text, len(rate["ours"]), bars.get(peer))
    if len(rate) == 1:
        report.add(name, "MiB/s", rate["ours"])


GCM = ("-c", "aes128-gcm@openssh.com")


def out(lab, ours, peers, report, times, path, size):
    say("bulk: out of exec, %d rounds" % times)
    what = {"ours": lambda: lab.probe("take", size, path, "--", *ours.exec_argv("cat", path), env=ours.env)}
    if peers:
        command = "cat " + path
        what["relayed"] = lambda: lab.probe("take", size, path, "--", *peers.relayed(command))
        what["relayed_gcm"] = lambda: lab.probe("take", size, path, "--", *peers.relayed(command, options=GCM))
        what["direct"] = lambda: lab.probe("take", size, path, "--", *peers.direct(command))
        what["direct_gcm"] = lambda: lab.probe("take", size, path, "--", *peers.direct(command, options=GCM))
    show(report, "bulk_exec", rounds(times, what), size, {"relayed": "ratio >= 2"})


def into(lab, ours, peers, report, times, path, size):
    say("bulk: into exec, %d rounds" % times)
    what = {"ours": lambda: lab.probe("give", path, "--", *ours.exec_argv("wc", "-c"), env=ours.env)}
    if peers:
        what["relayed"] = lambda: lab.probe("give", path, "--", *peers.relayed("wc -c"))
        what["direct"] = lambda: lab.probe("give", path, "--", *peers.direct("wc -c"))
    show(report, "bulk_upload", rounds(times, what), size, {})


def session(lab, ours, peers, report, times, path, size):
    say("bulk: through a session, %d rounds" % times)
    text = 'while [ "$(head -c1)" = g ]; do cat %s; done' % path
    terms = all_running(lab, ours, peers, script(lab, "burst.sh", text))
    try:
        got = rounds(times, {k: lambda t=t: t.probe("burst", size, path) for k, t in terms.items()})
    finally:
        close_all(terms, ours)
    show(report, "bulk_session", got, size, {"direct": "ratio >= 0.9"})
