"""tools/bench: the groups of figures, one after the other."""
import os
import signal
import sys
import time
import traceback

import bulk
import commands
import continuity
import crowd
import deadpath
import echo
import memory
import start
from lab import Failed, Lab, others, say
from ours import Ours
from peers import Peers
from report import Report

GROUPS = {
    "echo": echo.run,
    "exec": commands.run,
    "bulk": bulk.run,
    "start": start.run,
    "continuity": continuity.run,
    "memory": memory.run,
    "fleet": memory.fleet,
    "crowd": crowd.run,
    "size": memory.size,
    "deadpath": deadpath.run,
}
LONG = {"deadpath"}     # minutes of waiting: --quick leaves them out, unless they are named
OPTIONS = ("--quick", "--patient", "--strict", "--no-peers", "--list")
QUIET_PCT = 15
PATIENCE_S = 180


def on_signal(number, frame):
    sys.exit(128 + number)


def chosen(names, quick):
    if not names:
        return [g for g in GROUPS if not (quick and g in LONG)]
    groups = [g for g in GROUPS if any(n in g for n in names)]
    if not groups:
        say("no such figures: %s (there are: %s)" % (" ".join(names), " ".join(GROUPS)))
        sys.exit(2)
    return groups


def quiet():
    """Wait until others leave the machine to us; what they use then."""
    until = time.monotonic() + PATIENCE_S
    while True:
        used = others()
        if used <= QUIET_PCT or time.monotonic() > until:
            return used


def measure(groups, flags, report):
    lab = Lab()
    try:
        ours = Ours(lab)
        peers = None if "--no-peers" in flags else Peers(lab)
        for group in groups:
            report.others = quiet() if "--patient" in flags else others()
            say("%s: others use %d %% of %d cores" % (group, report.others, os.cpu_count()))
            try:
                GROUPS[group](lab, ours, peers, report, "--quick" in flags)
            except Failed as why:
                report.fail(group, why)
            except OSError as why:
                traceback.print_exc()
                report.fail(group, why)
    finally:
        lab.close()


def main(argv):
    flags = [a for a in argv if a.startswith("--")]
    wrong = [f for f in flags if f not in OPTIONS]
    if wrong:
        say("unknown option %s; there are %s" % (wrong[0], " ".join(OPTIONS)))
        return 2
    if "--list" in flags:
        print("\n".join(GROUPS))
        return 0
    groups = chosen([a for a in argv if not a.startswith("--")], "--quick" in flags)
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, on_signal)
    report = Report()
    try:
        measure(groups, flags, report)
    except Failed as why:
        report.fail("set-up", why)
    report.end()
    return 1 if report.failed or (report.missed and "--strict" in flags) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
