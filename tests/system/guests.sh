# Who is not signed in is let in as a guest: he may sign in, and nothing else, whatever he tries.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
from facts import *
from mesh import *

box = Mesh().said[1].get(2, b"")
g = Mesh()
kind, w = g.said
fact("an operator without a token is welcome as nobody", kind == WELCOME and not w.get(4) and not w.get(3), g.said)

wrong, tries = [], 0
for target in ("", "box", "bo", "nothing-like-it"):
    for kind in range(0, 10):
        if kind == RPC:
            continue
        for params in (b"", pb({1: "sh"}), os.urandom(40)):
            tries += 1
            code = g.tried(kind, target, params, 1000 if tries % 2 else 0)
            if code != AUTH:
                wrong.append((target, kind, code))
fact("every kind of channel to anything is refused him: %d tried" % tries, not wrong, wrong)

own = ["auth.device", "auth.token", "auth.revoke"]
wrong, tries = [], 0
for method in methods() + ["pty", "exec", "file.read", "machine.question", "people.list", "", "a" * 39, "auth.", "auth.devic"]:
    for target in ("", "box", "nothing-like-it"):
        if target == "" and method in own:
            continue
        for request in (b"", pb({1: "box"}), os.urandom(30)):
            tries += 1
            code, words = g.ask(method, target, request)
            if code != AUTH or "sign" not in words:
                wrong.append((method, target, code, words))
fact("every question to the relay and to machines is refused him: %d asked" % tries, not wrong, wrong)

for method, request in (("auth.device", b""), ("auth.token", pb({1: "no-such-code"})), ("auth.revoke", pb({1: "nothing"}))):
    code, words = g.ask(method, "", request)
    fact("but he may ask " + method, code not in (AUTH, DENIED, NOT_FOUND), code, words)
# The whole of a sign-in; the page where a person says yes has tests of its own.
def sign_in():
    code, records = g.ask("auth.device", "", pb({1: "a test", 3: "here"}))
    fact("a guest gets a code to sign in with", code == 0 and len(records) == 1 and b"-" in records[0][2], code, records)
    device = records[0][1]
    code, records = g.ask("auth.token", "", pb({1: device}))
    fact("nobody said yes yet", code == 0 and records[0][1] == b"authorization_pending", code, records)
    store = Store()
    store.do("update device set state = 1, last_poll_ms = 0, (fleet_id, person_id) = (select fleet_id, person_id from member)")
    code, records = g.ask("auth.token", "", pb({1: device}))
    fact("with a person's yes it becomes tokens", code == 0 and not records[0].get(1) and 3 in records[0], code, records)
    return records[0]

t = sign_in()
p = Mesh(t[3])
fact("with which an operator is welcome as that person", p.said[0] == WELCOME and p.said[1][4] == t[6], p.said)
who = p.ask("auth.whoami")[1][0]
fact("who is told so", who[7] == b"access" and who[8] > time.time() * 1000 and who[5] == t[8], who)
code, records = g.ask("auth.token", "", pb({2: t[4]}))
fact("a refresh token makes the next two", code == 0 and 3 in records[0] and records[0][3] != t[3], code, records)
newer = records[0]
q = Mesh(newer[3])
_ = Mesh(newer[3]).ask("auth.token", "", pb({2: newer[4]}))
code, records = g.ask("auth.token", "", pb({2: t[4]}))
fact("used a second time it ends the family", records and records[0][1] == b"invalid_grant", code, records)
for link, name in ((p, "the first"), (q, "the second")):
    took, words = link.ended(3)
    fact("and with it %s link, within a second" % name, took is not None and took < 1 and "revoked" in words, took, words)
t = sign_in()
p = Mesh(t[3])
fact("who gives a token back", g.ask("auth.revoke", "", pb({1: t[4]}))[0] == 0)
took, words = p.ended(3)
fact("loses its links within a second", took is not None and took < 1, took, words)
fact("a token that nobody knows is given back as well", g.ask("auth.revoke", "", pb({1: "cmdop_nothing"}))[0] == 0)

fact("and what does not parse is a fault of his own", g.ask("auth.token", "", b"\xff\xff")[0] == PROTOCOL)

bad = Mesh("cmdop_" + "x" * 43)
fact("who shows a token that is none is no guest", bad.said[0] == REFUSE and bad.said[1].get(1) == AUTH, bad.said)

guests = []
for i in range(1200):
    try:
        m = Mesh()
    except (OSError, Gone):
        break
    if m.said[0] != WELCOME:
        break
    guests.append(m)
fact("guests of one address are bounded: %d" % len(guests), 100 < len(guests) < 1100, len(guests))
for m in guests:
    m.close()
EOS
is "who signed in is served meanwhile" "$(exec_on box -- echo yes)" yes
finish
