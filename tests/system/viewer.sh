# A viewer may see which machines there are, and neither use them nor what runs there.
. tests/system/lib/test.sh
relay && machine box

exec_on -d --id theirs box -- sleep 300 > "$T/out"
end "$RELAY"
"$PY" -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("update member set role = ?", ("viewer",))
db.commit()' "$SERVER/server.db"
relay
wait_for 10 online box

run connect --list
is "a viewer sees the machines" "$STATUS $(grep -c '^box ' "$T/out")" '0 1'
run exec_on box -- true
refused "runs nothing" 6 'a viewer may list machines'
run at relay "$CMDOP" job list
is "sees no commands" "$STATUS $(grep -c theirs "$T/out")" '6 0'
for verb in "signal box:theirs KILL" "rm --force box:theirs"; do
    # shellcheck disable=SC2086
    run at relay "$CMDOP" job $verb
    is "and ends none by \`${verb%% *}\`" "$STATUS" 6
done
run at box "$CMDOP" job wait --local --timeout 200ms theirs
is "the command goes on" "$STATUS" 124
at box "$CMDOP" job rm --local --force theirs
finish
