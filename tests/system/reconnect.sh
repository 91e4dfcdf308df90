# A machine whose relay is killed comes back by itself, as the same machine, and so does one that
# was restarted; what ran through the old connection goes on through the next one.
. tests/system/lib/test.sh
relay && machine box
id=$(machine_id box)

spawn relay "$T/long.log" "$CMDOP" connect exec box -- \
    sh -c 'echo begun; until [ -e "$HOME/go" ]; do sleep 0.1; done; echo over; exit 3'
LONG=$SPAWNED
wait_for 5 has "$T/long.log" begun
end "$RELAY" KILL
run exec_on box -- true
refused "a new one is refused" 255 'nothing listens'

relay
fact "the machine comes back" wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
is "and takes commands" "$(exec_on box -- echo yes)" yes
touch "$T/box/go"
wait "$LONG"
is "a command under way went on" "$? $(tail -n 2 "$T/long.log" | tr '\n' ' ')" "3 begun over "
end "$AGENT" KILL
fact "a machine that is killed is offline at once" wait_for 5 has "$T/relay.log" 'machine.offline'
agent box
is "restarted it is the same machine" "$(connect --list --json > "$T/list"; json "$T/list" '[m["id"] for m in d["machines"]]')" "[\"$id\"]"
is "and takes commands again" "$(exec_on box -- echo yes)" yes
finish
