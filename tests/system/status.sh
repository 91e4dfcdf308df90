# `agent status` tells the truth: STOPPED, STARTING, ONLINE, DEGRADED; --check says it by exit status.
. tests/system/lib/test.sh

state() { at box "$CMDOP" agent status "$@"; }
verdict_is() { state | grep -q "^Verdict  *$1\$"; }
relay
join box > /dev/null
is "STOPPED before the start" "$(state | sed -n 's/^Verdict *//p')" STOPPED
run state --check
is "which --check says" "$STATUS" 1
end "$RELAY"

spawn box "$T/box.log" "$CMDOP" agent start --foreground
AGENT=$SPAWNED
fact "STARTING while no relay was ever there" wait_for 5 verdict_is STARTING
run state --check
is "which --check says too" "$STATUS" 1
run state
says "with the reason" "$T/out" '^Trouble +.*nothing listens'

relay
fact "ONLINE when it comes" wait_for 20 verdict_is ONLINE
run state --check
is "and --check is content" "$STATUS" 0
run state --json
is "in JSON: verdict, pid, connection" "$(json "$T/out" '[d["verdict"], d["pid"], d["connected"], d["trouble"]]')" \
    "[\"ONLINE\", $AGENT, true, \"\"]"
fact "who and where" json_is "$T/out" \
    'd["name"] == "box" and d["relay"] == "127.0.0.1:'"$PORT"'" and d["machine_id"] == "'"$(machine_id box)"'"'
fact "sessions and jobs" json_is "$T/out" 'd["sessions"] == 0 and d["jobs"] == 0'
is "status is short for agent status" "$(at box "$CMDOP" status | sed -n 's/^Verdict *//p')" ONLINE

end "$RELAY" KILL
fact "DEGRADED when the relay is killed" wait_for 5 verdict_is DEGRADED
run state --check
is "which --check says as well" "$STATUS" 1
run state --json
fact "with the reason in JSON" json_is "$T/out" 'd["verdict"] == "DEGRADED" and not d["connected"] and d["trouble"] != ""'
kill -STOP "$AGENT"
began=$(now_ms)
timeout 20 env HOME="$T/box" XDG_CONFIG_HOME="$T/box/config" XDG_STATE_HOME="$T/box/state" \
    XDG_RUNTIME_DIR="$T/box/run" "$CMDOP" agent status > "$T/out" 2> "$T/err"
kill -CONT "$AGENT"
says "DEGRADED when the agent runs and does not answer" "$T/out" '^Verdict +DEGRADED'
fact "and status does not wait for long" test $(($(now_ms) - began)) -lt 15000
end "$AGENT"
is "STOPPED after the end" "$(state | sed -n 's/^Verdict *//p')" STOPPED
is "the agent ended well" "$STATUS" 0
finish
