# Who is signed in where: listed, switched, told, ended; and what is no way to sign in.
. tests/system/lib/test.sh
relay

run at relay "$CMDOP" auth status --json
is "the user of the relay's host is signed in" "$STATUS $(json "$T/out" '[d["state"], d["token_kind"], d["renewable"], d["key"]]')" \
    '0 ["good", "cli", false, "file"]'
run at relay "$CMDOP" auth status
is "for people in rows" "$STATUS $(cut -d' ' -f1 "$T/out" | tr '\n' ' ')" '0 Identity Fleet Role Server Token Expires '
says "with the server" "$T/out" "^Server     [^ ]+ \\(.*:$PORT\\)$"
says "it is an owner" "$T/out" '^Role       owner$'
vm=$(at relay "$CMDOP" auth list | sed -n 's/^\* \([^ ]*\).*/\1/p')
fact "the list has it as the current one" test -n "$vm"
is "nothing of it lies in the clear" "$(grep -c cmdop_ "$T/relay/config/cmdop/credentials.json")" 0
is "file, key and lock are 0600" \
    "$(modes "$T/relay/config/cmdop/credentials.json" "$T/relay/config/cmdop/credentials.lock" "$T/relay/state/cmdop/credentials.key" | sort -u)" 600

# Fleets: this sign-in speaks in one at a time, and the relay remembers which.
script <<'END'
import subprocess
from mesh import *
from facts import *
def cmdop(*args):
    p = subprocess.run([CMDOP] + list(args), capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr
s = Store()
home = s.do("select name from fleet")[0][0]
s.member(s.fleet("Lab"), s.do("select id from person")[0][0], "viewer")
r = cmdop("fleet", "list")
fact("the fleets of a person, the active one marked", r[0] == 0 and "\n* " + home in r[1] and "\n  Lab " in r[1], *r)
r = cmdop("fleet", "use", "Lab"), cmdop("auth", "status")
fact("another one is made active", r[0] == (0, "") and "\nFleet      Lab\nRole       viewer\n" in r[1][1], *r)
r = cmdop("connect", "--list", "--workspace", "Lab"), cmdop("connect", "--list", "--workspace", home)
fact("--workspace takes the sign-in that is in it, and no other", r[0][0] == 0 and r[1][0] == 255 and
     "cmdop fleet use " + home in r[1][1], *r)
r = cmdop("fleet", "use", home), cmdop("connect", "--list", "--workspace", home)
fact("and back", r[0] == (0, "") and r[1][0] == 0, *r)
END

# A file as the version before wrote it.
place old
mkdir -p -m 700 "$T/old/config/cmdop"
signins relay > "$T/signins.json"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/system/lib "$PY" -c 'import json, signins, sys
d = json.load(open(sys.argv[1]))
d["servers"].append(dict(d["servers"][0], name="second"))
signins.write(sys.argv[2], d)' "$T/signins.json" "$T/old/config/cmdop"
run at old "$CMDOP" connect --list --json
is "an old file is read" "$STATUS $(cat "$T/out")" '0 {"machines":[]}'
is "and sealed at once" "$(json "$T/old/config/cmdop/credentials.json" 'd["version"]') $(grep -c cmdop_ "$T/old/config/cmdop/credentials.json")" '2 0'
is "with all that was in it" "$(signins old | json /dev/stdin '[(s["name"] == "second") for s in d["servers"]]')" '[false, true]'
run at old "$CMDOP" auth use second
is "another one is made current" "$STATUS $(signins old | json /dev/stdin 'd["current"]')" '0 second'
run at old "$CMDOP" auth use third
refused "one that is not there is told" 1 'no sign-in is called third; .cmdop auth list. shows'
run at old "$CMDOP" connect --list --server "$vm"
is "--server takes a name" "$STATUS" 0
run at old "$CMDOP" connect --list --server third
refused "and tells one that is not there" 255 'no sign-in is called third'
run at old "$CMDOP" connect --list --workspace Nowhere
refused "a fleet that no sign-in is for is told" 255 'no sign-in is for the fleet Nowhere; .*cmdop fleet use Nowhere'

# Keys of an API are for others.
run at relay env CMDOP_API_KEY=cmdop_apikey_secret "$CMDOP" connect --list --json
is "an API key is not used" "$STATUS $(cat "$T/out") $(wc -l < "$T/err")" '0 {"machines":[]} 1'
says "and that is said once" "$T/err" '^cmdop: CMDOP_API_KEY is set, .*cmdop login'
run at old env CMDOP_TOKEN=cmdop_secret CMDOP_API_KEY=x "$CMDOP" auth status --server nobody
says "nor is a token" "$T/err" 'is set, and this tool does not use it'
for how in --api-key=cmdop_apikey_secret '--api-key cmdop_apikey_secret'; do
    # shellcheck disable=SC2086
    run at relay "$CMDOP" connect --list $how
    refused "\`${how%%[= ]*}\` is no option, and the key is not repeated" 2 '^cmdop: there is no --api-key: .*cmdop login.$'
done

# Where to sign in to.
run at nobody "$CMDOP" login --server "${UNSET-}"
is "a variable that is not set is no server" "$STATUS $(head -n 1 "$T/err")" '2 cmdop: this option needs a value: --server'
run at nobody "$CMDOP" login
refused "without any relay that is asked for" 1 'which relay\? .*--server'
run at nobody "$CMDOP" login --server "127.0.0.1:$PORT"
refused "an address without a key is not trusted" 1 'cannot be checked for the bare address .*join string'
run at nobody "$CMDOP" login --server elsewhere
refused "nor is a name that is none" 1 'no sign-in is called elsewhere'
run at nobody "$CMDOP" login --server cmdop://relay.example:50051/short
refused "a pin is whole" 1 'key|pin|characters'
run at nobody "$CMDOP" auth status
refused "nobody is signed in there" 1 'not signed in.*cmdop login'
run at nobody "$CMDOP" logout
refused "so nobody can sign out" 1 'nobody is signed in'
run at nobody "$CMDOP" logout --all
is "but all that is nothing may go" "$STATUS" 0
fact "and it leaves no sign-in" test ! -e "$T/nobody/config/cmdop/credentials.json"

# Ending it.
end "$RELAY"
run at old "$CMDOP" auth status
is "a relay that is away is told, with what is known" "$STATUS $(grep -c . "$T/err") $(grep -c '^Server' "$T/out")" '255 1 1'
run at old "$CMDOP" logout
is "the current one is ended" "$STATUS" 0
says "and it is said that the relay does not know" "$T/out" '^signed out of second here only; the relay was not told \(.+\)'
is "the other one is current now" "$(signins old | json /dev/stdin '[len(d["servers"]), d["current"] == d["servers"][0]["name"]]')" '[1, true]'
echo garbage > "$T/old/config/cmdop/credentials.json"
run at old "$CMDOP" auth list
refused "a file that cannot be read is told with a remedy" 1 'damaged.*cmdop logout --all'
run at old "$CMDOP" logout --all
is "and the remedy works" "$STATUS" 0
fact "file and key are gone" sh -c "! ls '$T/old/config/cmdop/credentials.json' '$T/old/state/cmdop/credentials.key'"
run at old "$CMDOP" auth list
is "and nobody is signed in" "$STATUS $(grep -c 'nobody is signed in' "$T/err")" '0 1'
finish
