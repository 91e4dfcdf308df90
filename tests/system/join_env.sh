# A machine joins by itself: with a join string or a key alone in its environment, when its agent
# starts. Bad, foreign, spent and truncated ones end in one sentence that says what to do.
. tests/system/lib/test.sh
relay
url=$(join_key --uses 1 | sed 's,#.*,,')
bare=${url%/*} # without the pin
key() { join_key "$@" | sed 's,.*#,,'; }

refuses() { # NAME STATUS PATTERN KEY [SERVER]
    run at stray env CMDOP_JOIN_KEY="$4" CMDOP_SERVER_URL="${5-}" "$CMDOP" join
    refused "$1" "$2" "$3"
    fact "and leaves no record of a relay" test ! -e "$T/stray/state/cmdop/agent.json"
    is "nor tells the secret" "$(grep -c 'cmdop_enroll_[A-Za-z0-9_-]' "$T/err")" 0
}

run at one env CMDOP_JOIN_KEY="$(key)" CMDOP_SERVER_URL="$url" "$CMDOP" join --name one
says "a key alone joins at the server that the environment names" "$T/out" '^joined as one '
run at two "$CMDOP" join --name two --server "$url" "$(key)"
says "or that an option names" "$T/out" '^joined as two '

refuses "a key without a server is refused" 2 'CMDOP_SERVER_URL.*cmdop://HOST:PORT/PIN' "$(key)"
refuses "a server without a pin is refused by its bare address" 2 'bare address.*DNS name.*join string' "$(key)" "$bare"
refuses "in its short form too" 2 'bare address' "$(key)" "${bare#cmdop://}"
refuses "a server that is no address is refused" 2 'port is missing' "$(key)" "cmdop://relay"
refuses "a truncated pin is refused" 2 'pin is too short' "$(key)" "${url%??}"
refuses "a truncated key is refused" 2 'cut off at its end' "$(key | cut -c1-30)" "$url"
refuses "a longer key is refused" 2 'too long' "$(key)x" "$url"
refuses "a key of another kind is refused" 2 'not a join string' "cmdop_apikey_abcdefgh" "$url"
refuses "a foreign key is refused" 255 'unknown.*join string' "cmdop_enroll_$(printf 'A%.0s' $(seq 32))" "$url"
once=$(key --uses 1)
at three env CMDOP_JOIN_KEY="$once" CMDOP_SERVER_URL="$url" "$CMDOP" join --name three > "$T/out"
refuses "a spent key is refused" 255 'spent.*new join string' "$once" "$url"
short=$(key --expires 1s)
wait_for 5 sh -c "'$CMDOP' server join-key --state-dir '$SERVER' --list | grep -q expired"
refuses "an expired key is refused" 255 'expired.*new join string' "$short" "$url"
run at stray "$CMDOP" join --server "$url" "$(join_key)"
refused "a whole string and a server are one too many" 2 'leave --server away'
run at stray env CMDOP_JOIN_KEY_FILE="$T/nowhere" "$CMDOP" join
refused "a file that is not there is told by name" 1 'nowhere'

# ---- an agent that has not joined

run at four "$CMDOP" agent start --foreground
refused "without a key in its environment it says what is missing" 1 'cmdop join'
key > "$T/four.key"
chmod 600 "$T/four.key"
spawn four "$T/four.log" env CMDOP_JOIN_KEY_FILE="$T/four.key" CMDOP_SERVER_URL="$url" CMDOP_MACHINE_NAME=four \
    "$CMDOP" agent start --foreground
FOUR=$SPAWNED
fact "with one it joins and comes online" wait_for 10 has "$T/four.log" 'event=relay.online'
is "under the name it was given" "$(exec_on four -- echo yes)" yes
id=$(machine_id four)
end "$FOUR"
spawn four "$T/four.log" env CMDOP_JOIN_KEY="spent" "$CMDOP" agent start --foreground
fact "the next time nothing of it is looked at" wait_for 10 has "$T/four.log" 'event=relay.online'
is "it is the same machine" "$(machine_id four)" "$id"
run at six env CMDOP_JOIN_KEY="$(join_key)" "$CMDOP" agent start
cat "$T/out" "$T/err" > "$T/six.said"
says "in the background too" "$T/six.said" '^joined as '
is "the agent starts, and nobody is told to start it" \
    "$STATUS $(grep -c '^agent started' "$T/six.said") $(grep -c 'next:' "$T/six.said")" '0 1 0'
at six "$CMDOP" agent stop 2> /dev/null
run at five env CMDOP_JOIN_KEY="$once" CMDOP_SERVER_URL="$url" "$CMDOP" agent start
refused "a key that does not help ends the start with a sentence" 255 'cannot join: .*spent'

# ---- another relay, another address

end "$RELAY"
old=$PORT
PORT=0
relay
fact "the relay has moved" test "$PORT" != "$old"
run at one "$CMDOP" join --name one "$(join_key)"
says "joining again tells the machine where it is now" "$T/out" '^joined as one '
fact "and it comes online there" agent one
finish
