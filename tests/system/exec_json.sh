# `connect exec --json` prints one object of the documented shape, whatever becomes of the command.
. tests/system/lib/test.sh
relay && machine box

run exec_on --json box -- sh -c 'printf "out\n\"q\" \377\001"; echo err >&2; exit 3'
is "the status is still the command's" "$STATUS" 3
is "one line" "$(wc -l < "$T/out")" 1
is "nothing on standard error" "$(cat "$T/err")" ""
fact "the keys are the documented ones" json_is "$T/out" \
    '{"machine_id","hostname","command","exit_code","stdout","stderr","duration_ms","outcome"} <= d.keys()'
is "the machine by its id" "$(json "$T/out" 'd["machine_id"]')" "$(machine_id box)"
is "the command as an array" "$(json "$T/out" 'd["command"][:2]')" '["sh", "-c"]'
is "exit code, outcome" "$(json "$T/out" '[d["exit_code"], d["outcome"]]')" '[3, "exited"]'
is "standard error inside" "$(json "$T/out" 'd["stderr"]')" err
fact "standard output inside, with what is no text made harmless" json_is "$T/out" \
    'd["stdout"].startswith("out\n\"q\" ") and len(d["stdout"]) >= 10'
fact "a duration in milliseconds" json_is "$T/out" 'type(d["duration_ms"]) is int and 0 <= d["duration_ms"] < 10000'
fact "a host name" json_is "$T/out" 'd["hostname"] != ""'

run exec_on --json box -- sh -c 'kill -TERM $$'
is "a signal" "$(json "$T/out" '[d["exit_code"], d["outcome"]]') $STATUS" '[143, "signalled"] 143'
run exec_on --json --kill --timeout 500ms box -- sh -c 'echo begun; exec sleep 20'
is "a time-out" "$(json "$T/out" '[d["exit_code"], d["outcome"], d["stdout"]]') $STATUS" '[124, "timeout", "begun\n"] 124'
run exec_on --json --timeout 500ms box -- sh -c 'echo begun; exec sleep 20'
is "a wait that is over" "$(json "$T/out" '[d["exit_code"], d["outcome"], d["stdout"]]') $STATUS" \
    '[null, "running", "begun\n"] 124'
run exec_on --json box -- no-such-program
is "a program that is not there" "$(json "$T/out" '[d["exit_code"], d["outcome"]]') $STATUS" '[127, "refused"] 127'
run exec_on --json nobody -- true
is "a machine that is not there" "$(json "$T/out" '[d["exit_code"], d["outcome"], d["command"]]') $STATUS" \
    '[255, "refused", ["true"]] 255'
run exec_on --json box -- head -c 3000000 /dev/zero
fact "long output is cut, and that is said" json_is "$T/out" 'd["truncated"] and len(d["stdout"]) <= 1048576'
spawn relay "$T/lost" "$CMDOP" connect exec --json --timeout 3s box -- \
    sh -c 'echo begun; touch "$HOME/begun"; exec sleep 42'
wait_for 5 test -e "$T/box/begun"
end "$RELAY" KILL
wait $SPAWNED
STATUS=$?
is "a relay that goes away and stays away" "$(json "$T/lost" '[d["exit_code"], d["outcome"], d["stdout"]]') $STATUS" '[255, "lost", "begun\n"] 255'
run exec_on --json box -- true
is "no relay" "$(json "$T/out" '[d["exit_code"], d["outcome"]]') $STATUS" '[255, "refused"] 255'
at nobody "$CMDOP" connect exec --json box -- true > "$T/out" 2> "$T/err"
STATUS=$?
is "not signed in" "$(json "$T/out" '[d["exit_code"], d["outcome"], "error" in d]') $STATUS" '[255, "refused", true] 255'
finish
