# A join key that wants approval: the machine joins, waits, and comes in by itself when an owner says
# so. And somebody who is signed in makes a machine one of his fleet.
. tests/system/lib/test.sh
machines() { at relay "$CMDOP" machines "$@"; }
field() { machines list --json > "$T/list" && json "$T/list" "[m for m in d['machines'] if m['name'] == '$1'][0]['$2']"; }
relay

run at box "$CMDOP" join --name box "$(join_key --approve --label rack --labels rack=7,role=web)"
is "a machine joins with a key that wants approval" "$STATUS" 0
says "it is told that an owner must approve it" "$T/out" 'owner.*must approve.*cmdop machines approve box'
is "the fleet sees it" "$(field box state)" pending
is "with the labels of the key" "$(field box labels)" "rack=7,role=web"
says "the key tells as well" /dev/stdin 'rack \(approval\)' <<END
$(at relay "$CMDOP" server join-key --list)
END
spawn box "$T/box.log" "$CMDOP" agent start --foreground
BOX=$SPAWNED
fact "its agent is refused, and told why" wait_for 10 has "$T/box.log" "relay.dial .*waits for an owner's approval.*machines approve box"
run exec_on box -- true
refused "nobody can use it, which is told" 255 "waits for an owner.*machines approve"
run at box "$CMDOP" join --name box "$(join_key)"
is "another join key does not help it in" "$STATUS" 0
is "it waits still" "$(field box state)" pending
run machines approve box
is "an owner approves it" "$STATUS" 0
fact "the agent comes in by itself" wait_for 25 has "$T/box.log" 'event=relay.online'
is "it takes commands" "$(exec_on box -- echo yes)" yes
is "and is active" "$(field box state)" active
run machines approve box
is "approving it again changes nothing" "$STATUS" 0

run machines disable box
is "a machine is shut out" "$STATUS" 0
fact "at once, and told why" wait_for 5 has "$T/box.log" 'shut out.*machines enable'
run exec_on box -- true
refused "who wants to use it is told so" 255 'was shut out.*machines enable'
run machines approve box
is "approving does not let it in" "$STATUS" 255
run machines enable box
is "an owner lets it in again" "$STATUS" 0
run machines rename box web
is "it gets another name" "$(cat "$T/out")" "web is the new name"
is "which the fleet sees" "$(field web state)" active
run machines rename web "  "
is "a name of nothing but blanks is none" "$STATUS $(grep -c 'not all of them blanks' "$T/err")" '2 1'
run machines approve nobody
refused "a machine that is not there is told" 255 'no machine'
run machines approve
is "a name is needed" "$STATUS" 2
run machines sing box
is "another verb is a mistake" "$STATUS" 2
end "$BOX"

# ---- somebody who is signed in

run at relay "$CMDOP" register --name desk
is "who is signed in makes his machine one of the fleet" "$STATUS" 0
says "it is told" "$T/out" '^joined as desk '
is "and is active" "$(field desk state)" active
fact "the key is spent" sh -c "'$CMDOP' server join-key --state-dir '$SERVER' --list | grep -q 'used up.*register desk'"
run at relay "$CMDOP" register --name " "
is "under a name" "$STATUS $(grep -c 'not all of them blanks' "$T/err")" '2 1'
run at nobody "$CMDOP" register
refused "who is not signed in cannot" 255 'not signed in.*cmdop login'
run at relay "$CMDOP" register --server nowhere
refused "nor with a sign-in that is none" 255 'no sign-in is called nowhere.*auth list'
run at relay "$CMDOP" register --workspace nowhere
refused "nor in a fleet that one is not signed in to" 255 'no sign-in is for the fleet nowhere'
finish
