# A machine joins with a valid join string only; every other ends in one sentence that says what
# to do, and leaves no record of a relay behind.
. tests/system/lib/test.sh
relay

run join_key --list --json
is "a new relay has no join keys" "$(cat "$T/out")" '{"join_keys":[]}'
key=$(join_key --uses 1)
run join box "$key"
is "a single-use key lets one machine in" "$STATUS" 0
says "the machine is told its name" "$T/out" '^joined as box \([0-9a-f-]{36}\)$'
says "and what comes next" "$T/out" '^next: cmdop agent start$'
run join other "$key"
refused "the second machine with it is refused" 255 'spent.*new join string'
fact "who was refused has no record of a relay" test ! -e "$T/other/state/cmdop/agent.json"
run join box "$(join_key)"
is "a machine may join again" "$STATUS" 0
is "and keeps its id" "$(connect --list --json > "$T/list"; json "$T/list" '[m["id"] for m in d["machines"]]')" \
    "[\"$(machine_id box)\"]"

key=$(join_key --label gone)
id=$(at relay "$CMDOP" server join-key --list | sed -n 's/^\([0-9a-f-]*\) .*gone$/\1/p')
fact "a key can be revoked" join_key --revoke "$id"
run join other "$key"
refused "a revoked key is refused" 255 'revoked.*new join string'
run join_key --revoke "$id"
refused "a key can be revoked once only" 1 'was revoked before'

key=$(join_key --expires 1s)
says "a key can be short-lived" /dev/stdin 'cmdop' <<END
$key
END
wait_for 5 sh -c "'$CMDOP' server join-key --state-dir '$SERVER' --list | grep -q expired"
run join other "$key"
refused "an expired key is refused" 255 'expired.*new join string'

# A string with a pin that is no key of this relay: its first character changed.
wrong_pin() {
    case $1 in
    */A*) echo "$1" | sed 's,^\(cmdop://[^/]*/\)A,\1B,' ;;
    *)    echo "$1" | sed 's,^\(cmdop://[^/]*/\).,\1A,' ;;
    esac
}
key=$(join_key --uses 1)
run join other "$(wrong_pin "$key")"
refused "a relay with another key than the pinned one is refused" 255 'pinned.*join string'
run join other "$key"
is "and the join key was not given away: it is still good" "$STATUS" 0

key=$(join_key)
for cut in 1 5 20 50 80; do
    run join third "$(echo "$key" | sed "s/.\{$cut\}\$//")"
    refused "a string without its last $cut characters is refused" 2 'not a join string'
done
run join third "x$key"
refused "a string with a character in front is refused" 2 'not a join string'
run join third ""
is "an empty string is refused" "$STATUS" 2
is "no sentence quotes the secret" "$(grep -c cmdop_enroll_ "$T/err")" 0
echo "$key" > "$T/string"
chmod 600 "$T/string"
is "a string may come on standard input" "$(at third "$CMDOP" join - --name third < "$T/string" | grep -c '^joined as third')" 1
is "or in a file" "$(at fourth env CMDOP_JOIN_KEY_FILE="$T/string" "$CMDOP" join --name fourth | grep -c '^joined as fourth')" 1
is "or in the environment" "$(at fifth env CMDOP_JOIN_KEY="$key" "$CMDOP" join --name fifth | grep -c '^joined as fifth')" 1

run at sixth "$CMDOP" join --name "$(printf %064d 0)" "$key"
is "a name that is too long is not cut" "$STATUS $(grep -c 'not all of them blanks' "$T/err")" '2 1'
run at sixth "$CMDOP" join --name "   " "$key"
is "a name of nothing but blanks is none" "$STATUS $(grep -c 'not all of them blanks' "$T/err")" '2 1'
is "but from the environment it is as if there were none" \
    "$(at seventh env CMDOP_MACHINE_NAME=" " "$CMDOP" join "$key" | grep -c '^joined as [^ ]')" 1
join_key --uses 3 --label rack --labels rack=7,role=web --approve > /dev/null
run join_key --list
says "the list shows the labels of machines" "$T/out" ' 0/3 +20.* rack \(approval\) +rack=7,role=web$'
run join_key --list --json
is "so does its JSON" "$(json "$T/out" '[[k["state"], k["labels"], k["approval"], k["uses"], k["uses_max"], k["revoked_at"]]
    for k in d["join_keys"] if k["label"] == "rack"]')" '[["valid", "rack=7,role=web", true, 0, 3, null]]'
is "which knows how the others ended" "$(json "$T/out" 'sorted({k["state"] for k in d["join_keys"]})')" \
    '["expired", "revoked", "used_up", "valid"]'
run join_key --json
is "a new key has no JSON" "$STATUS $(grep -c 'only --list' "$T/err")" '2 1'
run join_key --revoke "$id" --revoke 00000000
refused "a join key that is none is told" 1 'no such join key.*--list'

end "$RELAY"
run join sixth "$key"
refused "a relay that is not there is told as such" 255 '^cmdop: cannot join: 127.0.0.1:[0-9]+: nothing listens'
run join sixth "$(echo "$key" | sed 's,127.0.0.1,no-such-host.invalid,')"
refused "a host name that does not exist is told as such" 255 '^cmdop: cannot join: .*no-such-host.invalid'
finish
