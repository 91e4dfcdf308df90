# A state folder that was copied and started elsewhere: both are shut out, both are told why, and an
# owner settles it: one comes back, or the key is struck off.
. tests/system/lib/test.sh
WHY='two machines use this identity.*identity reset --yes.*machines approve box'
machines() { at relay "$CMDOP" machines "$@"; }
state() { machines list --json > "$T/list" && json "$T/list" 'd["machines"][0]["state"]'; }
is_state() { [ "$(state)" = "$1" ]; }
sleeps() { [ "$(at "$1" "$CMDOP" agent status | sed -n 's/^Verdict *//p')" != ONLINE ]; }
epoch() { tail -c 16 "$T/$1/state/cmdop/lease" | od -An -tu1 -N8 | tr -s ' ' '\n' | tail -1; } # below 256

relay && machine box
id=$(machine_id box)
is "the lease is the machine's own file" "$(modes "$T/box/state/cmdop/lease")" 600
is "it begins with 1" "$(epoch box)" 1
BOX=$AGENT

# ---- what is no copy

end "$BOX"
agent box
BOX=$AGENT
is "a new agent of the same folder holds the next one" "$(epoch box)" 2
end "$BOX" KILL
agent box
BOX=$AGENT
is "one that was killed is no copy either" "$(epoch box)" 3
written=$(stat -c '%Y %i' "$T/box/state/cmdop/lease")
end "$RELAY"
relay
fact "after the relay's restart it comes back" wait_for 20 online box
is "and writes nothing" "$(stat -c '%Y %i' "$T/box/state/cmdop/lease")" "$written"
run at box "$CMDOP" join --name box "$(join_key)"
is "who joins beside a running agent is no copy" "$STATUS" 0
fact "the agent stays online" online box
is "nobody was shut out so far" "$(state)" active

# ---- both at once

place copy
cp -a "$T/box/state" "$T/box/config" "$T/copy/"
spawn copy "$T/copy.log" "$CMDOP" agent start --foreground
COPY=$SPAWNED
fact "the copy is not let in, and told why" wait_for 10 has "$T/copy.log" "event=relay.dial .*$WHY"
fact "the machine is shut out, and told the same" wait_for 5 has "$T/box.log" "event=relay.lost .*$WHY"
is "the fleet sees it" "$(state)" quarantined
is "with the place of each" "$(json "$T/list" 'd["machines"][0]["note"]' | tr -d '0-9')" \
    "two used its key at once, from ...: and ...:"
machines list > "$T/out" 2> "$T/err"
says "in the list for people too" "$T/out" '^box +quarantined +offline +SHA256:'
says "and why" "$T/err" '^box: two used its key at once'
fact "both agents live" sh -c "kill -0 $BOX && kill -0 $COPY"
run exec_on box -- true
is "nobody can use it" "$STATUS" 255
end "$BOX"
agent=$BOX
spawn box "$T/box.log" "$CMDOP" agent start --foreground
BOX=$SPAWNED
fact "a restart does not help" wait_for 10 has "$T/box.log" "event=relay.dial .*$WHY"
run at box "$CMDOP" join --name box "$(join_key)"
refused "nor does a join key" 255 "$WHY"

# ---- an owner's word

end "$COPY"
run machines approve box
is "an owner approves it" "$(cat "$T/out")" "box may come in now"
end "$BOX"
agent box
BOX=$AGENT
fact "the next one with the key is the machine" online box
is "it is active" "$(state)" active
is "and the same machine" "$(machine_id box)" "$id"
is "that takes commands" "$(exec_on box -- echo yes)" yes
end "$BOX"

# ---- one after the other

agent box
BOX=$AGENT
end "$BOX"
spawn copy "$T/copy.log" "$CMDOP" agent start --foreground
COPY=$SPAWNED
fact "a copy from before is found out though the machine is away" wait_for 10 has "$T/copy.log" "event=relay.dial .*$WHY"
is "and the machine is shut out" "$(state)" quarantined
end "$COPY"
machines approve box > "$T/out"
agent box
BOX=$AGENT
spawn copy "$T/copy.log" "$CMDOP" agent start --foreground
COPY=$SPAWNED
fact "while it is there, it is told as well" wait_for 10 has "$T/box.log" "event=relay.lost .*$WHY"
end "$COPY"

# ---- the key is struck off

run machines reset box
is "an owner strikes the key off" "$STATUS" 0
end "$BOX"
spawn box "$T/box.log" "$CMDOP" agent start --foreground
BOX=$SPAWNED
fact "it lets nobody in any more" wait_for 10 has "$T/box.log" 'struck.*identity reset --yes.*join string'
run at box "$CMDOP" join --name box "$(join_key)"
refused "nor with a join key" 255 'struck.*identity reset'
is "the machine is gone from the list" "$(machines list --json > "$T/list"; json "$T/list" 'len(d["machines"])')" 0
run at box "$CMDOP" identity reset --yes
refused "a running agent's identity is not taken away" 1 'runs already'
end "$BOX"
run at box "$CMDOP" identity reset
refused "nor without a word" 2 'say so with --yes'
run at box "$CMDOP" identity reset --yes
is "then it is" "$STATUS" 0
is "and kept beside" "$(modes "$T/box/state/cmdop/identity.old")" 600
fact "the machine has no relay any more" test ! -e "$T/box/state/cmdop/agent.json"
fact "nor a lease" test ! -e "$T/box/state/cmdop/lease"
machine box
is "it joins as a new machine" "$(exec_on box -- echo yes)" yes
fact "with another id" test "$(machine_id box)" != "$id"
finish
