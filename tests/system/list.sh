# `connect --list` shows the machines of the fleet, online or not, for people and for programs.
. tests/system/lib/test.sh
relay
run connect --list
is "an empty list says what to do, on standard error" "$STATUS$(cat "$T/out")$(grep -c 'cmdop register' "$T/err")" 01
machine one
ONE=$AGENT
machine two
TWO=$AGENT

run connect --list
is "two machines and a heading" "$(wc -l < "$T/out")" 3
says "for people: name, state, time, id" "$T/out" "^one +[^ ]+ +online +....-..-..T..:..:..Z +$(machine_id one)\$"
run connect --list --json
fact "for programs: the documented keys" json_is "$T/out" 'all({"id","name","hostname","os","os_version",
    "architecture","agent_version","fleet_id","public_key_fingerprint","online","last_heartbeat_at","created_at"}
    <= m.keys() for m in d["machines"])'
is "both are online" "$(json "$T/out" 'sorted((m["name"], m["online"]) for m in d["machines"])')" \
    '[["one", true], ["two", true]]'
fact "times are RFC 3339 in UTC" json_is "$T/out" '__import__("re").match("^[0-9]{4}-[0-9-]{5}T[0-9:]{8}Z$",
    d["machines"][0]["last_heartbeat_at"]) is not None'
is "the fingerprint is what the machine shows" \
    "$(json "$T/out" '[m["public_key_fingerprint"] for m in d["machines"] if m["name"] == "two"][0]')" \
    "$(sed -n 's/^fingerprint //p' "$T/two.join")"

end "$TWO"
offline() { connect --list --json > "$T/list" && json_is "$T/list" 'any(not m["online"] for m in d["machines"])'; }
fact "a machine that stops is offline" wait_for 5 offline
run connect --list --online
is "--online leaves it out" "$(grep -c '^two' "$T/out") $(grep -c '^one' "$T/out")" '0 1'
run connect --list --online --json
is "in JSON as well" "$(json "$T/out" '[m["name"] for m in d["machines"]]')" '["one"]'
run exec_on two -- true
refused "a command for it is refused, with what to do" 255 'offline.*--list'
end "$ONE"
none_online() { connect --list --online > "$T/out" 2> "$T/err" && [ ! -s "$T/out" ]; }
fact "with all of them offline --online shows none" wait_for 5 none_online
says "and does not say that none has joined" "$T/err" 'no machine is online'

end "$RELAY"
run connect --list --json
refused "without a relay the list is one sentence" 255 'nothing listens'
is "and nothing on standard output" "$(cat "$T/out")" ""
at nobody "$CMDOP" connect --list > "$T/out" 2> "$T/err"
STATUS=$?
refused "who is not signed in is told" 255 'not signed in'

relay
run connect --list --json
is "after a restart the relay knows both" "$(json "$T/out" 'sorted(m["name"] for m in d["machines"])')" '["one", "two"]'
finish
