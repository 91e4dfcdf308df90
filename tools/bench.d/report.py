"""Rounds, their statistics, and one JSON line per figure."""
import json
import operator

from lab import say

OPS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, "=": operator.eq}


def median(values):
    s = sorted(values)
    half = len(s) // 2
    return s[half] if len(s) % 2 else (s[half - 1] + s[half]) / 2


def percentile(values, p):
    s = sorted(values)
    return s[min(len(s) - 1, int(len(s) * p / 100))]


def rounds(count, what):
    """Run each of {name: function} once per round, starting with another one
    each time; {name: [result of each round]}."""
    names = list(what)
    got = {name: [] for name in names}
    for i in range(count):
        turn = i % len(names)
        for name in names[turn:] + names[:turn]:
            got[name].append(what[name]())
    return got


def sliced(count, slices, what):
    """`count` rounds, each cut into slices that take turns, so that what else
    happens on the machine happens to all; each function gives a list."""
    got = {name: [] for name in what}
    for _ in range(count):
        for name, parts in rounds(slices, what).items():
            got[name].append([x for part in parts for x in part])
    return got


def brief(x):
    if x is None:
        return None
    return float("%.4g" % x) if abs(x) < 1000 else round(x)


def spread(values):
    return [brief(min(values)), brief(max(values))]


class Report:
    def __init__(self):
        self.missed = []
        self.failed = []
        self.others = None      # percent of the machine, before the group began

    def add(self, name, unit, ours, peer=None, peer_name=None, n=None, bar=None, **more):
        """`ours` and `peer` hold one value per round; a bar is "ours <= 36"
        or "ratio >= 2", where the ratio is ours/peer."""
        line = {"name": name, "unit": unit, "ours": brief(median(ours)), "peer": None, "peer_name": peer_name if peer else None,
                "ratio": None, "n": n or len(ours), "bar": bar, "met": None}
        if len(ours) > 1:
            line["ours_range"] = spread(ours)
        ratio = None
        if peer:
            ratios = [o / p for o, p in zip(ours, peer) if p]
            ratio = median(ratios) if ratios else None
            line["peer"], line["ratio"] = brief(median(peer)), brief(ratio)
            if len(peer) > 1 and ratios:
                line["peer_range"], line["ratio_range"] = spread(peer), spread(ratios)
        if bar:
            side, op, limit = bar.split()
            value = ratio if side == "ratio" else median(ours)
            line["met"] = None if value is None else OPS[op](value, float(limit))
            if line["met"] is False:
                self.missed.append("%s: %s, and is %.4g" % (name, bar, value))
        line.update(more, others_pct=self.others)
        print(json.dumps(line), flush=True)

    def fail(self, group, why):
        say("%s failed: %s" % (group, why))
        self.failed.append(group)
        print(json.dumps({"name": group, "error": str(why)}), flush=True)

    def skip(self, group, why):
        say("%s left out: %s" % (group, why))
        print(json.dumps({"name": group, "skipped": why}), flush=True)

    def end(self):
        for text in self.missed:
            say("missed: " + text)
        for group in self.failed:
            say("failed: " + group)
