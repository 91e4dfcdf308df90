# A sign-in that is ended ends its live links within a second, whoever ended it: a question over the
# mesh, a verb on the relay's host, or anybody who changed the store and told the relay.
. tests/system/lib/test.sh
relay && machine box

token() { at relay "$CMDOP" server token "$@"; }
fact "a token is made on the relay's host" token make --label spare
cp "$T/fact" "$T/spare"
says "it is one line" "$T/spare" '^cmdop_[A-Za-z0-9_-]{43}$'
run token list
says "it is listed" "$T/out" '^[0-9a-f]{8}  valid    cli .* never .* spare$'
is "but its secret is not" "$(grep -c "$(cut -c1-12 "$T/spare")" "$T/out")" 0
run token list --json
is "in JSON as well" "$(json "$T/out" '[[t["kind"], t["state"], t["fleet"], t["expires_at"]] for t in d["tokens"] if t["label"] == "spare"]')" \
    '[["cli", "valid", "home", null]]'
is "without its secret" "$(grep -c "$(cut -c1-12 "$T/spare")" "$T/out")" 0
run token make --json
is "only a list has an answer in JSON" "$STATUS $(grep -c 'only `list`' "$T/err")" '2 1'
is "the store has no secret" "$(cat "$SERVER"/server.db* | grep -a -c "$(cat "$T/spare")")" 0
token make --label short --expires 1s > "$T/short"
run token make --user nobody-here
refused "a user who is not there" 1 'nobody-here is not known'
run token revoke 00000000
refused "an id that is not there" 1 'no such token'
run token revoke
is "revoke takes an id" "$STATUS" 2

export SPARE
SPARE=$(cat "$T/spare")
script <<'EOS'
import subprocess
from facts import *
from mesh import *

def host(*args):
    return subprocess.run([CMDOP, "server", "token", *args], env=home("relay"), capture_output=True, text=True)

store = Store()
fleet, owner = store.do("select fleet_id, person_id from member")[0]
fact("--expires is kept", wait_for(lambda: "short" not in host("list").stdout) and "expired" in host("list", "--all").stdout)

def session(token):
    m = Mesh(token)
    assert m.said[0] == WELCOME, m.said
    assert m.exec("box", "sleep", "300") == 0
    return m

def sleeps():
    ps = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    return len([x for x in ps.splitlines() if x == "sleep 300"])

def id_of(label):
    return [x for x in host("list").stdout.splitlines() if x.endswith(label)][0].split()[0]

def cut(m, words, what):
    took, said = m.ended(5)
    fact(what + ": the link is cut within a second", took is not None and took < 1, took, said)
    fact(what + ": and told why", words in said, said)

def stays(m, what):
    fact(what, m.ask("machines.list")[0] == 0)

base = sleeps()
spare = session(os.environ["SPARE"])
other, _ = store.token(fleet, owner)
kept = session(other)
short = session(store.token(fleet, owner, expires_ms=int(time.time() * 1000) + 2000)[0])
fact("two commands and a third run", wait_for(lambda: sleeps() == base + 3), sleeps())

# from the relay's host
began = time.monotonic()
done = host("revoke", id_of("spare"))
cut(spare, "revoked", "a token revoked on the host")
fact("the verb says nothing", done.returncode == 0 and not done.stderr and not done.stdout, done)
spare_id = store.do("select id from token where label = 'spare'")[0][0]
fact("revoked again it says so", "revoked before" in host("revoke", spare_id).stderr)
fact("and is let in no more", Mesh(os.environ["SPARE"]).said[0] == REFUSE)
stays(kept, "another sign-in of the same person stays")

# its time is over
took, said = short.ended(5)
fact("a token's link ends with it", took is not None and "expired" in said, took, said)
fact("not sooner than it says", time.monotonic() - began > 0.2)

# from inside, one's own and by the beginning of its id
victim, vid = store.token(fleet, owner)
v = session(victim)
code, records = kept.ask("tokens.list")
mine = {r[1].decode(): r for r in records}
fact("one's own sign-ins are listed", code == 0 and vid in mine, code, records)
fact("and which one this is", [r[1] for r in records if r.get(13)] != [] and not mine[vid].get(13))
fact("secrets are not among them", victim.encode() not in repr(records).encode())
code, words = kept.ask("tokens.revoke", "", pb({1: vid[:8]}))
fact("one is revoked over the mesh", code == 0, code, words)
cut(v, "revoked", "a token revoked over the mesh")
fact("an id that is none is not found", kept.ask("tokens.revoke", "", pb({1: "ffffffff"}))[0] == NOT_FOUND)
fact("nor is what is no id", kept.ask("tokens.revoke", "", pb({1: "x"}))[0] == PROTOCOL)

# people
ada = store.person("ada")
store.member(fleet, ada, "member")
token, _ = store.token(fleet, ada)
store.tell()
a = session(token)
code, records = a.ask("tokens.list", "", pb({1: 1}))
fact("a member does not see others' sign-ins", code == DENIED, code, records)
mine_id = store.do("select id from token where person_id = ? limit 1", owner)[0][0]
fact("and cannot revoke one", a.ask("tokens.revoke", "", pb({1: mine_id}))[0] == NOT_FOUND)
stays(kept, "which goes on")
code, records = kept.ask("tokens.list", "", pb({1: 1}))
fact("an owner sees all of the fleet", code == 0 and any(r[3] == b"ada" for r in records), code, records)

store.member(fleet, ada, "viewer")
store.tell()
cut(a, "role", "somebody who may less than before")
a = Mesh(token)
fact("and in the new role he comes back", a.said[0] == WELCOME and a.exec("box", "true") == DENIED)
store.member(fleet, ada, "member")
store.tell()
fact("a higher role holds from the next Open on", wait_for(lambda: a.exec("box", "true") == 0, 2))
store.do("update person set disabled_ms = 1 where id = ?", ada)
store.tell()
cut(a, "shut out", "a person who was shut out")
fact("and is not let in", Mesh(token).said[0] == REFUSE)
store.do("update person set disabled_ms = 0 where id = ?", ada)
a = Mesh(token)
store.do("delete from member where person_id = ?", ada)
store.tell()
cut(a, "", "somebody who left the fleet")

# policies
store.member(fleet, ada, "member")
a = Mesh(token)
store.do("update fleet set ip_allow = '10.0.0.0/8' where id = ?", fleet)
store.tell()
cut(a, "this address", "an address that may not any more")
said = Mesh(token).said
fact("and is not let in", said[0] == REFUSE and said[1].get(1) == DENIED, said)
store.do("update fleet set ip_allow = '127.0.0.0/8' where id = ?", fleet)
access, _ = store.token(fleet, ada, kind=1, created_ms=int(time.time() * 1000) - 3000)
a = Mesh(access)
fact("an address on the list may", a.said[0] == WELCOME, a.said)
store.do("update fleet set session_ms = 5000 where id = ?", fleet)
store.tell()
took, said = a.ended(6)
fact("a sign-in ends with the fleet's time for it", took is not None and took > 0.5 and "expired" in said, took, said)
store.do("update fleet set session_ms = 0, mfa_required = 1 where id = ?", fleet)
fact("without the second factor that the fleet wants", "second factor" in str(Mesh(access).said))
fact("which a token of the relay's host has by itself", Mesh(token).said[0] == WELCOME)
web, _ = store.token(fleet, ada, kind=3)
fact("a browser's session is no sign-in here", Mesh(web).said[0] == REFUSE)
store.do("update fleet set mfa_required = 0 where id = ?", fleet)
kept.close()
fact("what their operators left ends", wait_for(lambda: sleeps() == base, 90), sleeps())
EOS

# The real tool: its command's link goes, and it says why.
at relay "$CMDOP" server token list > "$T/list"
spawn relay "$T/tool.log" "$CMDOP" connect exec box -- sh -c 'echo there; sleep 300'
wait_for 10 has "$T/tool.log" there
begin=$(now_ms)
token revoke "$(awk '$7 == "first" { print $1 }' "$T/list")"
wait $SPAWNED
is "the tool ends denied" $? 6
fact "within a second" test $(($(now_ms) - begin)) -lt 1000
says "and says why" "$T/tool.log" 'the sign-in was revoked'
finish
