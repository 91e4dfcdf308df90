# 64 MiB go in and come back whole, in order, and without either side growing with them.
. tests/system/lib/test.sh
relay && machine box

head -c 67108864 /dev/urandom > "$T/data"
want=$(sum "$T/data")
exec_on box -- cat < "$T/data" > "$T/copy"
is "64 MiB through cat come back the same" "$(sum "$T/copy")" "$want"
is "64 MiB to the machine arrive the same" "$(exec_on box -- sha256sum < "$T/data" | cut -d' ' -f1)" "$want"
exec_on box -- cat "$T/data" | cat > "$T/copy"
is "64 MiB from the machine arrive the same, into a pipe" "$(sum "$T/copy")" "$want"
exec_on box -- sh -c "cat '$T/data' >&2" 2> "$T/copy"
is "and on standard error" "$(sum "$T/copy")" "$want"

# A reader that stops: the sender is held, not the relay's memory.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
before=$(($(rss "$RELAY") + $(rss "$AGENT")))
exec_on box -- cat "$T/data" | (sleep 1; head -c 1 > "$T/first"; cat > "$T/copy")
is "a reader that was slow to begin gets it all" "$(cat "$T/first" "$T/copy" | sha256sum | cut -d' ' -f1)" "$want"
after=$(($(rss "$RELAY") + $(rss "$AGENT")))
fact "relay and agent have not grown by more than 4 MiB" test $after -lt $((before + 4096))
is "a reader that goes away ends the command" "$(exec_on box -- cat /dev/zero 2> "$T/err" | head -c 5 | wc -c)" 5
wait_for 5 sh -c "! pgrep -f '^cat /dev/zero\$'"
verdict $? "and nothing of it stays behind on the machine"
run exec_on box -- true
is "the machine takes the next command" "$STATUS" 0
finish
