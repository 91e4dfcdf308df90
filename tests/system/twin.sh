# A state folder that was copied and started elsewhere: the newer machine is taken, the older is
# told what happened, and both go on living.
. tests/system/lib/test.sh
relay && machine box
OLDER=$AGENT
place copy
cp -a "$T/box/state" "$T/box/config" "$T/copy/"
fact "the copy comes online" agent copy
says "the relay notes it" "$T/relay.log" 'machine.twice'
fact "the older one is told, and what to do" wait_for 5 has "$T/box.log" 'connected again from elsewhere.*(remove|join)'
is "commands go to the newer" "$(exec_on box -- sh -c 'echo $HOME')" "$T/copy"
fact "the older lives" alive "$OLDER"
is "and is not online" "$(at box "$CMDOP" agent status | sed -n 's/^Verdict *//p')" DEGRADED
is "there is one machine" "$(connect --list --json > "$T/list"; json "$T/list" 'len(d["machines"])')" 1
end "$AGENT"
fact "they do not push each other out in turns" test "$(grep -c machine.twice "$T/relay.log")" -eq 1
finish
