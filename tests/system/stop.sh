# `agent start` returns when the agent works, `agent stop` when it has ended, even where the first
# process of the machine buries nobody, as in many containers.
. tests/system/lib/test.sh
relay
join box > /dev/null

agent_verb() { at box "$CMDOP" agent "$@"; }
run agent_verb start
AGENT=$(sed -n 's/^agent started, pid //p' "$T/out")
echo "$AGENT" >> "$T/pids"
is "start says the pid" "$STATUS $(at box "$CMDOP" agent status --json > "$T/out"; json "$T/out" 'd["pid"]')" "0 $AGENT"
fact "the agent comes online" wait_for 10 online box
run agent_verb restart
is "restart starts another" "$STATUS $(sed -n 's/^agent started, pid [0-9]*$/other/p' "$T/out")" '0 other'
sed -n 's/^agent started, pid //p' "$T/out" >> "$T/pids"
fact "which comes online" wait_for 10 online box
run agent_verb logs
says "logs tell of both starts" "$T/out" 'event=agent.stop'
run agent_verb stop
is "stop ends it" "$STATUS" 0
is "and nothing runs then" "$(at box "$CMDOP" agent status | sed -n 's/^Verdict *//p')" STOPPED
run agent_verb stop
refused "a second stop is told that nothing runs" 1 'no agent runs'

# A session goes on without its agent; --all ends it, however slow its keeper is to hear of it.
agent box
connect --new box < /dev/null > /dev/null 2>&1
keeper=$(pgrep -f "^cmdop keeper --folder $T/box/")
run agent_verb stop
says "stop tells that a session goes on" "$T/err" '^cmdop: 1 sessions and commands go on'
kill -STOP "$keeper"
run agent_verb stop --all
kill -CONT "$keeper"
says "with --all that it was told to end" "$T/err" '^cmdop: 1 sessions and commands were told'
nothing_goes_on() { [ -z "$(ls "$T/box/state/cmdop/sessions")" ]; }
fact "and it ends" wait_for 10 nothing_goes_on

if unshare --pid --fork true 2> /dev/null; then
    began=$(now_ms)
    # A leak is looked for by process number in /proc, which is of another space.
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
    # Python as the first process waits for its own children only.
    run at box unshare --pid --fork "$PY" -c 'import subprocess, sys
cmdop = sys.argv[1]
for verb in "start", "stop":
    status = subprocess.run([cmdop, "agent", verb]).returncode
    if status: sys.exit(status)' "$CMDOP"
    is "stop sees the end of an agent that nobody buries" "$STATUS$(cat "$T/err")" 0
    fact "within two seconds" test $(($(now_ms) - began)) -lt 2000
else
    pass_over "a name space of processes needs root"
fi
finish
