# From nothing to a shell, as a stranger does it, with the relay, the machine and the operator on
# hosts of their own: a server is started, its join string pasted at the machine, the operator
# signs in by a code that is approved in a real browser, and connects.
. tests/system/lib/test.sh
. tests/system/lib/hosts.sh
. tests/system/lib/driver.sh
router tests/system/stranger.sh

host 1; DESK=$NS
host 2; HUB=$NS
host 3; FIELD=$NS
export AT=10.9.2.2
spawn relay "$T/relay.log" nsenter -t "$HUB" -n "$CMDOP" server --address $AT:50051
fact "the relay says how to go on" wait_for 10 has "$T/relay.log" '^  next +cmdop server join-key$'
says "and where people sign in" "$T/relay.log" "https://$AT:8000"
echo 'correct horse battery' | at relay nsenter -t "$HUB" -n "$CMDOP" server user add ada --role admin > "$T/out" 2>&1
is "an account is made on its host" $? 0
string=$(join_key)

# The machine.
echo "$string" | at box nsenter -t "$FIELD" -n "$CMDOP" join --name box - > "$T/out" 2>&1
is "the join string is pasted at the machine" $? 0
spawn box "$T/box.log" nsenter -t "$FIELD" -n "$CMDOP" agent start --foreground
fact "it comes online" wait_for 10 has "$T/box.log" 'event=relay.online'
is "and listens to nobody" "$(in_host "$FIELD" cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A"' | wc -l)" 0

# The operator: nothing is here but the program, and what people may know of the relay.
run at desk nsenter -t "$DESK" -n "$CMDOP" connect --list
refused "who is not signed in is told how" 255 'cmdop login'
spawn desk "$T/login.log" nsenter -t "$DESK" -n "$CMDOP" login --server "${string%#*}"
LOGIN=$SPAWNED
fact "the tool shows an address and a code" wait_for 10 has "$T/login.log" "^  https://$AT:8000/device"
CODE=$(sed -n 's/^  \([A-Z]\{4\}-[A-Z]\{4\}\)$/\1/p' "$T/login.log")
export CODE
driver nsenter -t "$DESK" -n
in_desk() { nsenter -t "$DESK" -n "$@"; }
cat > "$T/browse.py" <<'EOS'
from facts import *
from webdriver import Chromium
page = Chromium(T + "/profile/data", 800, 600)
try:
    page.go("https://%s:8000/device" % os.environ["AT"])
    page.soon("the browser asks who it is", lambda: page.title().startswith("Sign in"))
    page.keys("#login", "ada")
    page.keys("#password", "correct horse battery\ue007")
    page.soon("and for the code", lambda: page.find("#user_code"))
    page.keys("#user_code", os.environ["CODE"] + "\ue007")
    page.soon("and shows what wants to be let in, and from where",
              lambda: all(w in page.text() for w in ("cmdop", os.environ["CODE"], "10.9.1.2")))
    page.click("button[value=approve]")
    page.soon("it is approved", lambda: "signed in" in page.text("h1"))
finally:
    page.end()
EOS
at relay env PYTHONPATH=tests/system/lib PYTHONDONTWRITEBYTECODE=1 T="$T" CMDOP="$CMDOP" \
    nsenter -t "$DESK" -n "$PY" "$T/browse.py" > "$T/browse" 2>&1
facts_in "$T/browse"
wait_for 20 gone "$LOGIN"
wait "$LOGIN"
is "the tool is signed in" "$? $(grep -c '^signed in to .* as ada' "$T/login.log")" '0 1'
run at desk nsenter -t "$DESK" -n "$CMDOP" connect exec box -- sh -c 'echo here; exit 7'
is "and runs a command there" "$STATUS $(cat "$T/out")" '7 here'

cat > "$T/shell.py" <<'EOS'
from terminal import *
t = Terminal(["nsenter", "-t", os.environ["DESK"], "-n", CMDOP, "connect", "box"])
t.prompt()
t.type("echo $CMDOP_OPERATOR-$((6*7))\r")
fact("and has a shell, which knows who is there", t.expect("ada-42"))
t.type("\r~.")
fact("and leaves it", t.wait() == 0, t.status)
EOS
at desk env PYTHONPATH=tests/system/lib PYTHONDONTWRITEBYTECODE=1 T="$T" CMDOP="$CMDOP" DESK="$DESK" \
    "$PY" "$T/shell.py" > "$T/shell" 2>&1
facts_in "$T/shell"
finish
