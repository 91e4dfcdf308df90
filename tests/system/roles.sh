# Roles, accesses and two fleets against a real relay: who may what, over the mesh, in every
# combination, as docs/PROTOCOL.md has it.
. tests/system/lib/test.sh
relay && machine box && machine vault && machine far

script <<'EOS'
import subprocess
from facts import *
from facts import home as place
from mesh import *

store = Store()
home, boss = store.do("select fleet_id, person_id from member")[0]
ids = dict((n, i) for n, i in store.do("select name, id from machine"))
other = store.fleet("other")
# far lives in the other fleet; vault is hidden from some.
db = sqlite3.connect(store.path, 10)
db.execute("pragma foreign_keys = off")
for table, column in (("machine", "fleet_id"), ("machine_fleet", "fleet_id"), ("machine_fleet", "home_id")):
    db.execute("update %s set %s = ? where %s = ?" % (table, column, "id" if table == "machine" else "machine_id"),
               (other, ids["far"]))
db.commit()
db.close()
store.tell()

people, token = {}, {}
for fleet, at in ((home, "home"), (other, "other")):
    for role in ("owner", "admin", "member", "viewer"):
        p = people[at, role] = store.person("%s-%s" % (role, at))
        store.member(fleet, p, role)
        token[at, role] = store.token(fleet, p)[0]
ALL = ("machines:read machines:write commands:execute files:read files:write schedules:manage agent:invoke"
       " permissions:manage")
for scope in ALL.split():
    token["home", scope] = store.token(home, people["home", "owner"], 4, scope)[0]
    token["home", "all but " + scope] = store.token(
        home, people["home", "owner"], 4, " ".join(s for s in ALL.split() if s != scope))[0]
token["home", "no scope"] = store.token(home, people["home", "owner"], 4)[0]
token["home", "a word"] = store.token(home, people["home", "owner"], 4, ALL + " everything")[0]

def expect(what, got, want):
    cells.append(what)
    if got != want:
        wrong.append((what, got, want))

def run(link, kind, target="box"):
    """Try it; what the machine answers means that the relay let it pass."""
    params = {PTY: pb({1: "no-such-session"}), EXEC: pb({1: "true"})}.get(kind, b"")
    said, f = link.answer(link.open(kind, target, params))
    code = f.get(2, 0) if said == REJECT else 0
    machine = code in (UNSUPPORTED, PROTOCOL) or (code == NOT_FOUND and b"no machine" not in f.get(3, b""))
    return 0 if machine else code

CHANNELS = (PTY, EXEC, FILE, TCP, ASK)
LOOKS = ("agent.status",)
QUESTIONS = ("sessions.list", "sessions.detach", "sessions.destroy", "jobs.list", "jobs.signal", "jobs.remove",
             "no.such-method", "machines.list", "pty")
def asked(link, method, target):
    code = link.ask(method, target, pb({1: "none-such"}))[0]
    return 0 if code in (NOT_FOUND, PROTOCOL) and target == "box" else code

# a machine, channels and questions, by role and fleet
cells, wrong = [], []
for (at, role), t in token.items():
    if role not in ("owner", "admin", "member", "viewer"):
        continue
    link = Mesh(t)
    for target in ("box", ids["box"], "far", ids["far"]):
        mine = ("far" if at == "other" else "box") in (target, {v: k for k, v in ids.items()}.get(target))
        for kind in CHANNELS:
            want = NOT_FOUND if not mine else DENIED if role == "viewer" else 0
            expect((at, role, target, kind), run(link, kind, target), want)
        for q in LOOKS + QUESTIONS:
            code = link.ask(q, target, pb({1: "none-such"}))[0]
            if mine and (role != "viewer" or q in LOOKS):
                expect((at, role, target, q), code in (0, NOT_FOUND, PROTOCOL), True)
            else:
                expect((at, role, target, q), code, DENIED if mine else NOT_FOUND)
    names = sorted(r[2].decode() for r in link.ask("machines.list")[1])
    expect((at, role, "list"), names, ["far"] if at == "other" else ["box", "vault"])
    link.close()
fact("channels and questions to machines, by role and fleet: %d" % len(cells), not wrong, *wrong[:20])

# questions to the relay that change something
cells, wrong = [], []
for (at, role), t in token.items():
    if role not in ("owner", "admin", "member", "viewer"):
        continue
    link = Mesh(t)
    may = role in ("owner", "admin")
    own, foreign = ("far", "box") if at == "other" else ("box", "far")
    for target, mine in ((own, True), (ids[own], True), (foreign, False), (ids[foreign], False)):
        for method, more in (("machines.rename", {10: own}), ("machines.enable", {})):
            got = link.ask(method, "", pb({1: target, **more}))[0]
            expect((at, role, method, target), got, DENIED if not may else 0 if mine else NOT_FOUND)
    for method in ("auth.whoami", "fleets.list", "tokens.list", "machines.list"):
        expect((at, role, method), link.ask(method)[0], 0)
    expect((at, role, "tokens.list fleet"), link.ask("tokens.list", "", pb({1: 1}))[0], 0 if may else DENIED)
    foreign_token = store.do("select id from token where person_id = ?", people["home" if at == "other" else "other",
                                                                              "viewer"])[0][0]
    expect((at, role, "tokens.revoke"), link.ask("tokens.revoke", "", pb({1: foreign_token}))[0], NOT_FOUND)
    who = link.ask("auth.whoami")[1][0]
    expect((at, role, "whoami"), (who[4].decode(), who[5].decode()), (role, other if at == "other" else home))
    expect((at, role, "no method"), link.ask("machines.eat")[0], NOT_FOUND)
    expect((at, role, "a kind that is none"), link.tried(99, own), UNSUPPORTED)
    expect((at, role, "the relay runs nothing"), link.tried(EXEC, "", pb({1: "true"})), UNSUPPORTED)
    link.close()
fact("questions to the relay, by role and fleet: %d" % len(cells), not wrong, *wrong[:20])

# API keys
cells, wrong = [], []
NEEDS = {PTY: "commands:execute", EXEC: "commands:execute", TCP: "commands:execute", FILE: "files:write",
         ASK: "agent:invoke"}
for (at, name), t in token.items():
    if ":" not in name and name not in ("no scope", "a word"):
        continue
    link = Mesh(t)
    has = set() if name in ("no scope", "a word") else {name} if "all but" not in name else set(ALL.split()) - {
        name.split()[-1]}
    for kind in CHANNELS:
        expect((name, kind), run(link, kind), 0 if NEEDS[kind] in has else DENIED)
    for q, scope in (("agent.status", "machines:read"), ("jobs.list", "commands:execute"), ("x.y", "commands:execute")):
        expect((name, q), asked(link, q, "box"), 0 if scope in has else DENIED)
    for q, scope, more in (("machines.list", "machines:read", {}), ("machines.rename", "machines:write", {1: "box", 10: "box"})):
        expect((name, q), link.ask(q, "", pb(more))[0], 0 if scope in has else DENIED)
    for q in ("tokens.list", "tokens.revoke", "fleets.use"):
        expect((name, q), link.ask(q)[0], DENIED)
    expect((name, "whoami"), link.ask("auth.whoami")[0], 0 if has else DENIED)
    expect((name, "far"), run(link, EXEC, "far"), NOT_FOUND)
    link.close()
fact("API keys and their scopes: %d" % len(cells), not wrong, *wrong[:20])

# what was set for members on one machine; a link that is renewed for it comes back
def settled(t):
    time.sleep(0.3)
    return Mesh(t)

cells, wrong = [], []
LEVELS = {"full": 0, "execute": 1, "view": 2, "hidden": 3}
for role in ("owner", "admin", "member", "viewer"):
    for level in LEVELS:
        store.do("insert or replace into machine_access (fleet_id, machine_id, person_id, access) values (?, ?, ?, ?)",
                 home, ids["vault"], people["home", role], LEVELS[level])
        store.tell()
        binds = role in ("member", "viewer")
        hidden = binds and level == "hidden"
        link = settled(token["home", role])
        wait_for(lambda: (link.ask("agent.status", "vault")[0] == NOT_FOUND) == hidden, 2)
        want = NOT_FOUND if hidden else DENIED if role == "viewer" or (binds and level == "view") else 0
        wait_for(lambda: run(link, EXEC, "vault") == want, 2)
        expect((role, level, "exec"), run(link, EXEC, "vault"), want)
        expect((role, level, "by id"), run(link, EXEC, ids["vault"]), want)
        want = NOT_FOUND if hidden else DENIED if role == "viewer" or (binds and level != "full") else 0
        expect((role, level, "file"), run(link, FILE, "vault"), want)
        expect((role, level, "status"), link.ask("agent.status", "vault")[0], NOT_FOUND if hidden else 0)
        expect((role, level, "list"), "vault" in [r[2].decode() for r in link.ask("machines.list")[1]], not hidden)
        expect((role, level, "box"), run(link, EXEC), DENIED if role == "viewer" else 0)
        link.close()
fact("access to single machines: %d" % len(cells), not wrong, *wrong[:20])

# a machine that two fleets see, and then one
store.do("insert into machine_fleet (fleet_id, machine_id, home_id, name, joined_ms, added_by) values (?, ?, ?, 'box', 1, '')",
         other, ids["box"], home)
store.tell()
o = Mesh(token["other", "owner"])
fact("a machine that is linked to a fleet can be used from there", wait_for(lambda: run(o, EXEC, "box") == 0, 2))
code, words = o.ask("machines.rename", "", pb({1: "box", 10: "mine"}))
fact("but its home decides about it", code == DENIED and "home" in words, code, words)
store.do("delete from machine_fleet where fleet_id = ? and machine_id = ?", other, ids["box"])
store.tell()
took, words = o.ended(3)
fact("when it is not linked any more, links that may use it end", took is not None and took < 1, took, words)
fact("and come back without it", run(Mesh(token["other", "owner"]), EXEC, "box") == NOT_FOUND)

# names, and shutting out
h = Mesh(token["home", "admin"])
fact("a machine is renamed", h.ask("machines.rename", "", pb({1: "vault", 10: "safe"}))[0] == 0)
fact("and found by its new name at once", run(h, EXEC, "safe") == 0 and run(h, EXEC, "vault") in (0, NOT_FOUND))
fact("a name that cannot be kept is refused", all(h.ask("machines.rename", "", pb({1: "safe", 10: n}))[0] == PROTOCOL for n in ("", "  ")))
log = Log("relay.log")
n = h.open(EXEC, "safe", pb({1: ["sleep", "300"]}))
assert h.answer(n)[0] == ACCEPT
began = time.monotonic()
fact("a machine is shut out", h.ask("machines.disable", "", pb({1: "safe"}))[0] == 0)
fact("which cuts its link within a second", log.has("event=machine.offline", 1))
fact("it stands in the list as that", [r[13] for r in h.ask("machines.list")[1] if r[2] == b"safe"] == [b"disabled"],
     h.ask("machines.list")[1])
fact("and is told so", wait_for(lambda: "shut out" in open(T + "/vault.log").read()))
fact("and let in again", h.ask("machines.enable", "", pb({1: "safe"}))[0] == 0)
store.member(home, people["other", "owner"], "viewer")
mover = Mesh(token["other", "owner"])
fleets = {r[3].decode(): r for r in mover.ask("fleets.list")[1]}
fact("a person sees the fleets he is in", sorted(fleets) == ["home", "other"] and fleets["other"].get(7) == 1
     and fleets["home"][5] == b"viewer", fleets)
fact("and no other", mover.ask("fleets.use", "", pb({1: "nowhere"}))[0] == NOT_FOUND)
fact("and goes to another", mover.ask("fleets.use", "", pb({1: "home"}))[0] == 0)
took, words = mover.ended(3)
fact("for which his links begin anew", took is not None and took < 1, took, words)
mover = Mesh(token["other", "owner"])
fact("in that fleet, in his role there", mover.ask("auth.whoami")[1][0][4] == b"viewer" and run(mover, EXEC) == DENIED)

# an Open that waits for its machine, while the role changes
os.kill(int(os.environ["AGENT"]), 15)  # of far
w = Mesh(token["other", "member"])
wait_for(lambda: w.tried(EXEC, "far", pb({1: "true"})) == OFFLINE)
n = w.open(EXEC, "far", pb({1: ["touch", T + "/led"]}), 20000)
store.member(other, people["other", "member"], "viewer")
store.tell()
took, words = w.ended(5)
fact("a role that may less ends what waits for a machine", took is not None and "role" in words, took, words)
subprocess.Popen([CMDOP, "agent", "start"], env=place("far"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
o = Mesh(token["other", "owner"]) if store.do("select fleet_id from token where person_id = ?", people["other", "owner"])[0][
    0] == other else Mesh(token["other", "admin"])
fact("the machine comes back", wait_for(lambda: run(o, EXEC, "far") == 0, 15))
fact("and nothing was led to it", not os.path.exists(T + "/led"))
EOS
at far "$CMDOP" agent stop > "$T/out" 2>&1
finish
