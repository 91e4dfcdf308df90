# To ask for the status never keeps an agent from starting.
. tests/system/lib/test.sh
relay
join box > /dev/null
spawn box "$T/asking.log" sh -c "while :; do '$CMDOP' agent status > /dev/null; done"
ASKING=$SPAWNED
failed=0
for i in 1 2 3 4 5; do
    run at box "$CMDOP" agent start
    [ "$STATUS" -eq 0 ] || { failed=$((failed + 1)); note < "$T/err"; }
    sed -n 's/^agent started, pid //p' "$T/out" >> "$T/pids"
    at box "$CMDOP" agent stop 2> /dev/null
done
end "$ASKING"
is "five starts beside a busy \`agent status\`: none fails" $failed 0
finish
