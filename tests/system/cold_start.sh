# The cold start as people do it: a relay, its owner's password, `cmdop login` from another place
# over Mesh, the code typed into the relay's page, a machine used; and all of it taken back.
. tests/system/lib/test.sh
echo 'the owner has a long one' > "$T/first"
chmod 600 "$T/first"
relay --initial-admin-password-file "$T/first" && machine box
echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role member --email ada@h.example
string=$(join_key)
spawn desk "$T/login.log" "$CMDOP" login --server "${string%%#*}" --name work --no-browser --no-keyring
LOGIN=$SPAWNED
wait_for 20 has "$T/login.log" '[B-Z]{4}-[B-Z]{4}'
says "the tool tells the relay's page" "$T/login.log" "^ *http://localhost:$API/device$"
CODE=$(grep -Eo '[B-Z]{4}-[B-Z]{4}' "$T/login.log" | head -n 1)
export CODE

script <<'EOS'
from facts import *
from browser import *
ada = Browser(os.environ["API"], T + "/relay/state/cmdop/server/ca.pem")
p = ada.sign_in("ada", "correct horse battery", "/signin?next=/device?user_code=" + os.environ["CODE"])
fact("the page tells the tool, its version and its host", p.says("cmdop") and p.says(os.uname().nodename), p.text)
p = ada.send(p, "/device", action="approve")
fact("a person approves", p.says("The device is signed in"), p.text)
EOS
wait_for 20 gone "$LOGIN"
wait "$LOGIN"
is "the tool is signed in" "$?" 0
desk() { at desk "$CMDOP" "$@"; }
run desk auth status --json
is "as that person" "$(json "$T/out" '[d["state"], d["role"]]')" '["good", "member"]'
is "and uses the machine" "$(desk connect exec box -- echo yes)" yes
says "the log tells who signed in" "$T/relay.log" 'event=person.signed-in msg="?ada'
is "no token is in the log" "$(grep -Ec 'cmdop_[A-Za-z0-9_-]{20}|clitr_' "$T/relay.log")" 0

spawn desk "$T/stream.log" "$CMDOP" connect exec box -- sh -c 'echo begun; sleep 60'
STREAM=$SPAWNED
wait_for 10 has "$T/stream.log" begun
script <<'EOS'
import time
from facts import *
from browser import *
ada = Browser(os.environ["API"], T + "/relay/state/cmdop/server/ca.pem")
p = ada.sign_in("ada", "correct horse battery")
rows = [(i, f) for i, f in enumerate(p.forms()["/account/revoke"])]
at = next(i for i, f in rows if "cmdop" in p.text.split(f["id"])[0].split("<li>")[-1])
p = ada.send(p, "/account/revoke", which=at)
fact("the page ends that sign-in", p.says("has ended"), p.text)
EOS
start=$(now_ms)
wait_for 10 gone "$STREAM"
took=$(($(now_ms) - start))
fact "what it had open ends within a second ($took ms)" test $took -lt 1500
run desk connect exec box -- echo yes
is "and nothing is opened any more" "$STATUS" 6
finish
