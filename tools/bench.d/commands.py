"""One command: warm, eight at a time, cold."""
from lab import say
from report import percentile, rounds


def p50_ms(ns):
    return percentile(ns[:-1], 50) / 1e6


def run(lab, ours, peers, report, quick):
    warm(lab, ours, peers, report, (2, 10) if quick else (7, 50))
    rate(lab, ours, peers, report, (2, 80) if quick else (5, 400))
    cold(lab, ours, peers, report, (2, 5) if quick else (7, 20))


def warm(lab, ours, peers, report, size):
    times, count = size
    say("exec: warm, %d rounds of %d" % size)
    what = {"ours": lambda: lab.probe("spawn", count, 1, "", "--", *ours.exec_argv("true"), env=ours.env),
            "floor": lambda: lab.probe("spawn", count, 1, "", "--", "true")}
    if peers:
        what["master"] = lambda: lab.probe("spawn", count, 1, "", "--", *peers.mastered("true"))
    what["ours"]()      # leaves a ticket
    got = rounds(times, what)
    for p in (50, 99):
        ms = {k: [percentile(r[:-1], p) / 1e6 for r in v] for k, v in got.items()}
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
    what = {"ours": lambda: lab.probe("spawn", count, 1, ours.tickets(), "--", *ours.exec_argv("true"), env=ours.env)}
    if peers and peers.dropbear:
        what["dropbear"] = lambda: lab.probe("spawn", count, 1, "", "--", *peers.dbclient("true"))
    if peers:
        what["ssh"] = lambda: lab.probe("spawn", max(3, count // 5), 1, "", "--", *peers.direct("true"))
    got = rounds(times, what)
    ms = {k: [p50_ms(r) for r in v] for k, v in got.items()}
    report.add("exec_cold_p50", "ms", ms["ours"], ms.get("dropbear"), "dbclient", times * count, "ratio <= 0.25")
    if "ssh" in ms:
        report.add("exec_cold_p50", "ms", ms["ours"], ms["ssh"], "ssh", times * count)
