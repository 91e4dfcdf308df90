# What is pinned is the relay's key: a new certificate changes nothing, a new key stops everybody
# with a sentence that says what to do.
. tests/system/lib/test.sh
relay && machine box
id=$(machine_id box)

end "$RELAY"
old=$(sum "$SERVER/server.pem")
rm "$SERVER/server.pem" "$SERVER/server.key"
fact "a relay without a certificate makes a new one" relay
fact "another one" test "$(sum "$SERVER/server.pem")" != "$old"
fact "the machine comes back" wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
is "and takes commands from the operator who was signed in" "$(exec_on box -- echo yes)" yes

end "$RELAY"
cp "$SERVER/relay.key" "$T/old.key"
rm "$SERVER/relay.key"
relay
other='pinned: its key is SHA256:.*, not SHA256:.*`cmdop join` or `cmdop login` again only with a new join string'
fact "with a new key the machine stays away" wait_for 20 has "$T/box.log" "$other"
is "it is not online" "$(at box "$CMDOP" agent status | sed -n 's/^Verdict *//p')" DEGRADED
fact "it lives" alive "$AGENT"
says "status tells the reason" /dev/stdin '^Trouble +.*pinned' <<END
$(at box "$CMDOP" agent status)
END
end "$AGENT"
spawn box "$T/again.log" "$CMDOP" agent start --foreground
AGENT=$SPAWNED
fact "and so does one that starts only now" wait_for 20 has "$T/again.log" "$other"
# The relay signed its user in anew; somebody else's sign-in holds the old pin.
place else
cp -a "$T/relay/config" "$T/else/"
"$PY" - "$T/else/config/cmdop" "$(signins relay)" <<'END'
import json, sys
sys.path.insert(0, "tests/system/lib")
sys.dont_write_bytecode = True
import signins
d = json.loads(sys.argv[2])
for s in d["servers"]:
    s["pin"] = ("B" if s["pin"][0] == "A" else "A") + s["pin"][1:]
signins.write(sys.argv[1], d)
END
run at else "$CMDOP" connect --list
refused "an operator whose pin differs is stopped as well" 255 "$other"
run at else "$CMDOP" connect exec box -- true
refused "whatever he wants" 255 "$other"
run at else timeout 30 "$CMDOP" login --no-browser
refused "he is not asked to sign in there" 255 "$other"
is "and nobody there has heard of a machine or an operator" \
    "$(grep -Ec 'machine\.|token|device' "$T/relay.log")" 0

end "$RELAY"
cp "$T/old.key" "$SERVER/relay.key"
relay
fact "with the old key back the machine comes by itself" wait_for 60 has "$T/relay.log" 'machine.online msg="box"'
is "as itself" "$(machine_id box)" "$id"
finish
