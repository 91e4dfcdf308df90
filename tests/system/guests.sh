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
