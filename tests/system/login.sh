# Signing in by the device flow, at a relay that nobody here wrote and that does whatever may go wrong.
. tests/system/lib/test.sh
. tests/system/lib/signin.sh
control '{"device": ["authorization_pending", "ok"]}'
fact "the relay is ready" signin_relay

run at ann "$CMDOP" login --server "$SERVER_URL" --json
is "a person signs in" "$STATUS $(wc -l < "$T/out") $(wc -l < "$T/err")" '0 2 0'
sed -n 1p "$T/out" > "$T/step1"; sed -n 2p "$T/out" > "$T/step2"
is "the first step names page and code" "$(json "$T/step1" '[d["event"], d["user_code"], d["verification_uri"], d["interval"]]')" \
    '["device", "BCDF-GHJK", "https://localhost:8000/device", 1]'
is "the last one who it is" "$(json "$T/step2" '[d["event"], d["user"], d["email"], d["fleet"], d["key"]]')" \
    '["signed_in", "ann", "ann@example.org", "Home", "file"]'
is "no step tells a token" "$(grep -Ec 'cmdop_a|clitr_|device-' "$T/out")" 0
says "the relay was told what asks" "$T/events" '"clientName":"cmdop","clientVersion":"[0-9.]+","clientHostname":".+","clientPlatform":"linux '
is "all that came is kept" "$(signins ann | json /dev/stdin '[[s[k] for k in ("name", "token", "refresh", "user_id", "fleet_id")] for s in d["servers"]]')" \
    '[["127.0.0.1", "cmdop_a2", "clitr_r2", "u-1", "f-1"]]'
is "under a seal" "$(grep -Ec 'cmdop_a|clitr_r|ann' "$T/ann/config/cmdop/credentials.json")" 0
run at ann "$CMDOP" auth status --json
is "and works" "$STATUS $(json "$T/out" '[d["state"], d["role"], d["renewable"]]')" '0 ["good", "member", true]'
run at ann "$CMDOP" connect --list --json
is "for the other verbs too" "$STATUS $(cat "$T/out")" '0 {"machines":[]}'

# In words, and slower when asked to be; with a join string, whose key is nobody's business here.
control '{"device": ["slow_down", "ok"]}'
secret=cmdop_enroll_$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
: > "$T/events"
spawn bob "$T/bob.log" "$CMDOP" login "$SERVER_URL#$secret"
BOB=$SPAWNED
wait_for 10 has "$T/bob.log" '^  BCDF-GHJK$'
is "the key of a join string is not seen among the arguments" "$(tr '\0' ' ' < "/proc/$BOB/cmdline" | grep -c enroll)" 0
says "page and code stand on lines of their own" "$T/bob.log" '^  https://localhost:8000/device$'
says "with the time that is left" "$T/bob.log" 'good for 15 minutes.*Ctrl-C'
wait_for 20 gone "$BOB"
wait "$BOB"
is "the sign-in ends well" "$? $(grep -c '^signed in to 127.0.0.1 as ann, in the fleet Home$' "$T/bob.log")" '0 1'
is "slow_down adds five seconds" "$("$PY" -c 'import json, sys
at = [e["at"] for e in map(json.loads, open(sys.argv[1])) if "poll" in e]
print(5900 < at[1] - at[0] < 9000)' "$T/events")" True
is "and the key is nowhere" "$(grep -rc "$secret" "$T/bob" | grep -vc ':0$')" 0

# Ways out.
control '{"device": []}'
spawn eve "$T/eve.log" "$CMDOP" login --server "$SERVER_URL"
wait_for 10 has "$T/eve.log" '^  BCDF-GHJK$'
end "$SPAWNED"
is "giving up leaves nothing" "$STATUS $(find "$T/eve/config" "$T/eve/state" -type f 2> /dev/null | grep -vc lock)" '130 0'
for case in access_denied:6:'refused in the browser' expired_token:124:'not entered in time' invalid_grant:6:invalid_grant odd:1:'makes no sense'; do
    control "{\"device\": [\"${case%%:*}\"]}"
    rest=${case#*:}
    run at eve "$CMDOP" login --server "$SERVER_URL"
    refused "${case%%:*} is told" "${rest%%:*}" "${rest#*:}"
    fact "and nothing is kept" test ! -e "$T/eve/config/cmdop/credentials.json"
done
control '{"device": [], "device_seconds": 2}'
run at eve "$CMDOP" login --server "$SERVER_URL"
refused "a code that nobody enters ends" 124 'not entered in time'

run at eve "$CMDOP" login --server "$SERVER_URL" --name " "
is "a sign-in has a name that can be seen" "$STATUS $(grep -c 'not all of them blanks' "$T/err")" '2 1'

# The link may be lost, and the relay may be away for a while.
control '{"device": ["drop", "authorization_pending", "drop", "ok"]}'
run at eve "$CMDOP" login --server "$SERVER_URL" --name first
is "a lost link is survived" "$STATUS $(signins eve name)" '0 first'
control '{"device": ["authorization_pending", "die", "ok"]}'
spawn eve "$T/eve.log" "$CMDOP" login --server "$SERVER_URL" --name second
EVE=$SPAWNED
wait_for 20 gone "$RELAY"
sleep 1
fact "the relay comes back" signin_relay
wait_for 20 gone "$EVE"
wait "$EVE"
is "a relay that was away too" "$? $(grep -c 'signed in' "$T/eve.log")" '0 1'
is "two names for one relay" "$(at eve "$CMDOP" auth list --json | json /dev/stdin '[[s["name"], s["current"]] for s in d["servers"]]')" \
    '[["first", false], ["second", true]]'

# Without a word about where: the current one, or the relay of this machine.
control '{"device": ["ok"]}'
run at eve "$CMDOP" auth login --json
is "the current sign-in is renewed under its name" "$STATUS $(signins eve | json /dev/stdin 'len(d["servers"])')" '0 2'
place box
mkdir -p -m 700 "$T/box/state/cmdop"
cat > "$T/box/state/cmdop/agent.json" <<END
{"version":1,"host":"127.0.0.1","port":$PORT,"pin":"$PIN","machine_id":"11111111-2222-4333-8444-555555555555",
"fleet_id":"f-1","name":"box","joined_at":"2026-11-28T00:00:00Z"}
END
chmod 600 "$T/box/state/cmdop/agent.json"
run at box "$CMDOP" login
is "a machine's own relay is known" "$STATUS $(signins box address)" "0 127.0.0.1:$PORT"

# Fleets.
run at box "$CMDOP" fleet list --json
is "the fleets of a person" "$STATUS $(json "$T/out" '[[f["name"], f["role"], f["current"]] for f in d["fleets"]]')" \
    '0 [["Home", "owner", true], ["Lab", "viewer", false]]'
run at box "$CMDOP" connect --list --workspace Lab
refused "a sign-in is for one of them" 255 'no sign-in is for the fleet Lab'
run at box "$CMDOP" fleet use Lab
is "another one is made active" "$STATUS $(signins box fleet) $(events '"fleet":"f-2"')" '0 Lab 1'
run at box "$CMDOP" connect --list --workspace Lab
is "and then it is" "$STATUS" 0
run at box "$CMDOP" fleet use Nowhere
refused "but not one that is none" 1 'no fleet that is called Nowhere'

# Leaving.
run at box "$CMDOP" logout
is "a sign-in is ended at the relay" "$STATUS $(grep -c 'the relay has ended the sign-in' "$T/out")" '0 1'
is "by its refresh token" "$(events '"revoke":"clitr_')" 1
is "and here" "$(signins box | json /dev/stdin 'd["servers"]')" '[]'
run at eve "$CMDOP" logout --all --json
is "all are" "$STATUS $(grep -c '"revoked":true' "$T/out") $(events '"revoke":"clitr_')" '0 2 3'
fact "with the file" test ! -e "$T/eve/config/cmdop/credentials.json"

control '{"device": ["authorization_pending", "authorization_pending", "ok"]}'
# A browser is started where somebody sits at a desktop.
mkdir "$T/bin"
printf '#!/bin/sh\necho "$1" >> "%s"\n' "$T/opened" > "$T/bin/xdg-open"
chmod +x "$T/bin/xdg-open"
script <<END
from terminal import *
import os
t = Terminal([CMDOP, "login", "--server", "$SERVER_URL", "--name", "left"])
t.expect("BCDF-GHJK")
t.type("\\x03")
fact("Ctrl-C gives up", t.wait() == 130, t.wait())
os.environ["PATH"] = T + "/bin:" + os.environ["PATH"]
def login(*more):
    t = Terminal([CMDOP, "login", "--server", "$SERVER_URL"] + list(more))
    t.expect("signed in to")
    return t.wait()
fact("nothing is opened without a desktop", login() == 0 and not os.path.exists(T + "/opened"))
os.environ["DISPLAY"] = ":9"
fact("nor when that is not wanted", login("--no-browser") == 0 and not os.path.exists(T + "/opened"))
fact("else the page is, with the code", login() == 0 and wait_for(lambda: os.path.exists(T + "/opened")) and
     open(T + "/opened").read() == "https://localhost:8000/device?code=BCDF-GHJK\n")
END
DISPLAY=:9 PATH="$T/bin:$PATH" run at eve "$CMDOP" login --server "$SERVER_URL" < /dev/null
is "a script opens none" "$STATUS $(wc -l < "$T/opened")" '0 1'
finish
