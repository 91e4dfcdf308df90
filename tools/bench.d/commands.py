"""One command: warm, eight at a time, cold."""
from lab import say
from report import percentile, rounds, sliced


SLICES = 5


def one_by_one(lab, count, argv, env=None, forget=""):
    """Start to exit, nanoseconds each; without the probe's total."""
    return lambda: lab.probe("spawn", max(1, count // SLICES), 1, forget, "--", *argv, env=env)[:-1]


def run(lab, ours, peers, report, quick):
    warm(lab, ours, peers, report, (2, 10) if quick else (7, 50))
    rate(lab, ours, peers, report, (2, 80) if quick else (5, 400))
    cold(lab, ours, peers, report, (2, 5) if quick else (7, 20))


def warm(lab, ours, peers, report, size):
    times, count = size
    say("exec: warm, %d rounds of %d" % size)
    what = {"ours": one_by_one(lab, count, ours.exec_argv("true"), ours.env),
            "floor": one_by_one(lab, count, ["true"])}
    if peers:
        what["master"] = one_by_one(lab, count, peers.mastered("true"))
    what["ours"]()      # leaves a ticket
    got = sliced(times, SLICES, what)
    for p in (50, 99):
        ms = {k: [percentile(r, p) / 1e6 for r in v] for k, v in got.items()}
        report.add("exec_warm_p%d" % p, "ms", ms["ours"], ms.get("master"), "ssh with ControlMaster", times * count,
                   "ratio <= 0.3333" if p == 50 else None)
        report.add("exec_warm_p%d" % p, "ms", ms["ours"], ms["floor"], "spawn of true (floor)", times * count)


def rate(lab, ours, peers, report, size):
    times, count = size
    say("exec: eight at a time, %d rounds of %d" % size)
    what = {"ours": lambda: lab.probe("spawn", count, 8, "", "--", *ours.exec_argv("true"), env=ours.env),
            "floor": lambda: lab.probe("spawn", count, 8, "", "--", "true")}
    if peers:
        what["master"] = lambda: lab.probe("spawn", count // 4, 8, "", "--", *peers.mastered("true"))
    got = rounds(times, what)
    rates = {k: [(len(r) - 1) / (r[-1] / 1e9) for r in v] for k, v in got.items()}
    report.add("exec_rate8", "1/s", rates["ours"], rates.get("master"), "ssh with ControlMaster", times * count,
               "ours >= 500")
    report.add("exec_rate8", "1/s", rates["ours"], rates["floor"], "spawn of true (floor)", times * count)


def cold(lab, ours, peers, report, size):
    times, count = size
    say("exec: cold, %d rounds of %d" % size)
    what = {"ours": one_by_one(lab, count, ours.exec_argv("true"), ours.env, ours.tickets())}
    if peers and peers.dropbear:
        what["dropbear"] = one_by_one(lab, count, peers.dbclient("true"))
    if peers:
        what["ssh"] = one_by_one(lab, 1, peers.direct("true"))
    got = sliced(times, SLICES, what)
    ms = {k: [percentile(r, 50) / 1e6 for r in v] for k, v in got.items()}
    report.add("exec_cold_p50", "ms", ms["ours"], ms.get("dropbear"), "dbclient", times * count, "ratio <= 0.25")
    if "ssh" in ms:
        report.add("exec_cold_p50", "ms", ms["ours"], ms["ssh"], "ssh", times * count)
