# The key of a machine is replaced: under a session that goes on, with the same id, name and history;
# later, when the relay is away; and whenever an agent dies in between.
. tests/system/lib/test.sh
relay && machine box
BOX=$AGENT
id=$(machine_id box)
print() { at "$1" "$CMDOP" identity show --json > "$T/id" && json "$T/id" 'd["fingerprint"]'; }
known() { connect --list --json > "$T/list" && json "$T/list" 'd["machines"][0]["public_key_fingerprint"]'; }
is_known() { [ "$(known)" = "$1" ]; }
first=$(print box)
is "the fingerprint is the one that the fleet sees" "$(known)" "$first"
says "it is shown for people" /dev/stdin '^Fingerprint +SHA256:[A-Za-z0-9+/]{43}$' <<END
$(at box "$CMDOP" identity show)
END

script <<'EOS'
import subprocess
from facts import home
from terminal import *

COUNTER = "i=0; while [ ! -e ~/enough ]; do i=$((i+1)); echo n$i; sleep 0.02; done\r"

def numbers(text):
    return [int(x) for x in re.findall(r"(?m)^\r?n(\d+)\r$", text)]

t = connect("box")
t.prompt()
t.type(COUNTER)
t.expect(r"n10\r\n")
out = subprocess.run([CMDOP, "identity", "rotate"], env=home("box"), capture_output=True, text=True)
fact("the relay says yes at once", out.returncode == 0 and "knows the new key" in out.stdout, out)
now = numbers(t.seen)[-1]
fact("the session goes on", t.expect(r"n%d\r\n" % (now + 50)))
got = numbers(t.seen)
fact("no line is missing, none comes twice", got == list(range(1, len(got) + 1)), got)
t.type("\x03exit\r")
t.wait()
EOS
second=$(print box)
fact "the machine has another key" test "$second" != "$first"
is "which the fleet sees" "$(known)" "$second"
is "the id is the same" "$(machine_id box)" "$id"
is "there is one machine" "$(json "$T/list" 'len(d["machines"])')" 1
is "it takes commands" "$(exec_on box -- echo yes)" yes
fact "nothing of the change is left" test ! -e "$T/box/state/cmdop/identity.next"
fact "the log tells" grep -Fq "event=identity.rotated msg=\"$second\"" "$T/box.log"

# ---- the old key

place old
cp -a "$T/box/state" "$T/box/config" "$T/old/"
end "$BOX"
agent box
BOX=$AGENT
at box "$CMDOP" identity rotate > "$T/out"
third=$(print box)
spawn old "$T/old.log" "$CMDOP" agent start --foreground
OLD=$SPAWNED
fact "a copy with the old key is not let in, and told why" wait_for 10 has "$T/old.log" 'old key of the machine.*replaced'
fact "and the machine stays" online box
end "$OLD"

# ---- the relay is away

end "$RELAY"
fact "the agent has noticed" wait_for 10 sh -c "! HOME=$T/box XDG_CONFIG_HOME=$T/box/config XDG_STATE_HOME=$T/box/state XDG_RUNTIME_DIR=$T/box/run '$CMDOP' agent status --check"
run at box "$CMDOP" identity rotate
is "without the relay it is done later" "$STATUS" 0
says "which is told" "$T/err" 'cannot be reached now.*next connection'
at box "$CMDOP" identity show > "$T/out"
says "the new key waits" "$T/out" '^Next key +SHA256:.*waits'
is "the old one is in use still" "$(print box)" "$third"
relay
fact "at the next connection the relay knows it" wait_for 40 sh -c "[ ! -e '$T/box/state/cmdop/identity.next' ]"
fact "and so does the fleet" wait_for 5 is_known "$(print box)"
end "$BOX"
run at box "$CMDOP" identity rotate
says "without an agent it is done when one starts" "$T/err" 'no agent runs'
agent box
BOX=$AGENT
fact "as it is" test ! -e "$T/box/state/cmdop/identity.next"
is "under the same id" "$(exec_on box -- echo yes) $(machine_id box)" "yes $id"
at box "$CMDOP" agent status --json > "$T/status"
is "the relay counts them" "$(json "$T/status" 'd["key_version"]')" 5
run at none "$CMDOP" identity rotate
refused "a machine without an identity has none to replace" 1 'cmdop join'
finish
