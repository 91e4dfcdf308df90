# A full disk is told in one sentence; nothing that was there is lost, and with room again
# everything goes on.
. tests/system/lib/test.sh
[ "$(id -u)" -eq 0 ] || skip "only root can mount a small disk"
place relay
mkdir -p "$T/relay/state"
mount -t tmpfs -o size=2m,mode=700 cmdop-test "$T/relay/state" 2> "$T/err" || skip "a small disk cannot be mounted here"
MOUNTED=$T/relay/state
fill() { dd if=/dev/zero of="$1/filler" bs=4k 2> "$T/waits"; }

# No room for the first start.
fill "$T/relay/state"
run at relay "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0
refused "a first start without room is one sentence" 1 '[Nn]o space|disk is full'
rm "$T/relay/state/filler"
fact "with room the next start works" relay

machine box
known=$(join_key)
fill "$T/relay/state"
# The store has some room of its own left: use it up.
for i in $(seq 200); do
    run join_key
    [ "$STATUS" -eq 0 ] || break
done
refused "a join key cannot be made, and that is told" 1 '[Nn]o space|full'
run join other "$known"
refused "a machine cannot join, and is told why" 255 'disk is full'
says "the relay's log has the reason" "$T/relay.log" 'event=store.failed'
fact "the relay lives" alive "$RELAY"
is "the machine that was in takes commands" "$(exec_on box -- echo yes)" yes

rm "$T/relay/state/filler"
run join other "$known"
is "with room again the machine joins with the same key" "$STATUS" 0
end "$RELAY"
is "the relay ends well" "$STATUS" 0
relay
is "nothing is lost" "$(connect --list --json > "$T/list"; json "$T/list" 'sorted(m["name"] for m in d["machines"])')" '["box", "other"]'
end "$RELAY"
umount "$MOUNTED"

# No room on the machine.
rm -r "$T/relay/config" # the key of its sign-ins went with the disk
mkdir -p "$T/third/state"
MOUNTED=$T/third/state
PORT=0 API=0 SERVER=$T/relay/state/cmdop/server
relay
mount -t tmpfs -o size=64k,mode=700 cmdop-test "$MOUNTED"
place third
fill "$T/third/state"
key=$(join_key --uses 1)
run join third "$key"
refused "a machine without room is told before the key is spent" 1 '[Nn]o space|disk is full'
rm "$T/third/state/filler"
run join third "$key"
is "so that it may join when there is room" "$STATUS" 0
agent third
fill "$T/third/state"
is "an agent whose disk is full still takes commands" "$(exec_on third -- echo yes)" yes
end "$AGENT"
finish
