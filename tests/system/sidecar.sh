# A sidecar becomes the program it was given: same process, same streams, same environment, its own
# exit status. An agent runs beside it, and no trouble of the agent's holds the program up.
. tests/system/lib/test.sh
relay
url=$(join_key --uses 1 | sed 's,#.*,,')

run at plain "$CMDOP" sidecar -- sh -c 'echo "$0 $*"; exit 7' a -v --json -- --help
is "the program's own status is the end" "$STATUS" 7
is "flags behind -- are its own" "$(cat "$T/out")" "a -v --json -- --help"
is "without a key it is run and nothing is said" "$(cat "$T/err")" ""
fact "and nothing is made" test ! -e "$T/plain/state"
run at plain sh -c 'echo $$; exec "$0" sidecar -- sh -c "echo \$\$; echo \$MARK"' "$CMDOP"
is "it keeps the process id" "$(sed -n 1p "$T/out")" "$(sed -n 2p "$T/out")"
run at plain env MARK=here "$CMDOP" sidecar -- sh -c 'echo "$MARK"; pwd; cat' < /etc/hostname
is "environment, folder and input are its own" "$(cat "$T/out")" "here
$PWD
$(cat /etc/hostname)"
run at plain "$CMDOP" sidecar -- "$T/no-such-program"
refused "a program that is not there is 127" 127 'no-such-program'
: > "$T/no-program"
run at plain "$CMDOP" sidecar -- "$T/no-program"
refused "one that cannot be run is 126" 126 'no-program'
run at plain "$CMDOP" sidecar
is "without a program it is a mistake" "$STATUS" 2
run at plain "$CMDOP" sidecar echo hello
is "without -- as well" "$STATUS" 2
run at plain "$CMDOP" sidecar -- sh -c 'kill -TERM $$'
is "a signal ends it as it would have" "$STATUS" 143
run at plain env CMDOP_JOIN_KEY="rubbish" "$CMDOP" sidecar -- echo yes
is "a bad key does not hold it up" "$(cat "$T/out") $STATUS" "yes 0"
says "but is told" "$T/err" 'no agent is started: .*join string.*the program runs without it'
run at ro env CMDOP_JOIN_KEY="$(join_key)" CMDOP_STATE_DIR=/proc/nowhere "$CMDOP" sidecar -- echo yes
is "nor does a folder that cannot be made" "$(cat "$T/out") $STATUS" "yes 0"
says "which is told as well" "$T/err" 'no agent is started'

# ---- with a key

place box
mkfifo "$T/box/end"
spawn box "$T/box.out" env CMDOP_JOIN_KEY="$(join_key)" CMDOP_MACHINE_NAME=box "$CMDOP" sidecar -- \
    sh -c 'echo started; read -r line < "$HOME/end"; echo "end $line"; exit 5'
BOX=$SPAWNED
fact "the program starts" wait_for 10 has "$T/box.out" '^started$'
fact "the machine joins and comes online" wait_for 20 online box
is "and takes commands" "$(exec_on box -- echo yes)" yes
pid=$(at box "$CMDOP" agent status --json > "$T/status"; json "$T/status" 'd["pid"]')
fact "the agent is no child of the program" test "$(ps -o ppid= -p "$pid" | tr -d ' ')" != "$BOX"
is "which has no children it did not start" "$(ps -o pid= --ppid "$BOX" | wc -l)" 0
kill -9 "$pid"
fact "the agent's death is nothing to it" alive "$BOX"
echo now > "$T/box/end"
wait "$BOX"
is "it ends as it wants" "$? $(tail -1 "$T/box.out")" "5 end now"
is "nothing else was said" "$(grep -c . "$T/box.out")" 2
is "the agent's log is in its folder" "$(grep -c 'agent.join.*joined as box' "$T/box/state/cmdop/agent.log")" 1

spawn box "$T/box.out" "$CMDOP" sidecar -- sh -c 'echo again; exec sleep 100'
BOX=$SPAWNED
fact "a machine that has joined needs no key" wait_for 20 online box
pid=$(at box "$CMDOP" agent status --json > "$T/status"; json "$T/status" 'd["pid"]')
end "$BOX"
kill "$pid"

# The relay comes later than the machine.
later=$(join_key)
end "$RELAY"
spawn late "$T/late.out" env CMDOP_JOIN_KEY="$later" CMDOP_MACHINE_NAME=late "$CMDOP" sidecar -- sleep 100
LATE=$SPAWNED
fact "a relay that is not there does not hold it up" wait_for 5 has "$T/late/state/cmdop/agent.log" 'agent.join.failed'
relay
fact "and is waited for" wait_for 30 online late
pid=$(at late "$CMDOP" agent status --json > "$T/status"; json "$T/status" 'd["pid"]')
end "$LATE"
kill "$pid"

# ---- as process 1

[ "$(id -u)" = 0 ] && unshare -p -f --mount-proc true 2>> "$T/waits" || { pass_over "process name spaces need root"; finish; }
spawn one "$T/one.out" unshare -p -f --mount-proc --kill-child env CMDOP_JOIN_KEY="$(join_key)" CMDOP_MACHINE_NAME=one \
    "$CMDOP" sidecar -- sh -c 'echo "pid $$"; while [ ! -e "$HOME/enough" ]; do sleep 0.1; done; exit 9'
ONE=$SPAWNED
fact "the program is process 1" wait_for 10 has "$T/one.out" '^pid 1$'
fact "its machine comes online" wait_for 20 has "$T/relay.log" 'machine.online msg="one"'
is "commands find it as their process 1" "$(exec_on one -- cat /proc/1/comm)" sh
touch "$T/one/enough"
wait "$ONE"
is "its status is that of the container" "$?" 9
finish
