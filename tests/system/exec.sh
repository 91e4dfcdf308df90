# A command on a machine: its status, both its outputs and its input are its own; what we say
# ourselves has a status of its own.
. tests/system/lib/test.sh
relay && machine box

run exec_on box -- sh -c 'echo out; echo err >&2; exit 7'
is "the exit status is the command's" "$STATUS" 7
is "standard output is apart" "$(cat "$T/out")" out
is "standard error is apart" "$(cat "$T/err")" err
run exec_on box -- true
is "success is 0, and silent" "$STATUS$(cat "$T/out" "$T/err")" 0
run exec_on box -- sh -c 'exit 255'
is "255 passes too" "$STATUS$(cat "$T/err")" 255
for sig in HUP:1 KILL:9 SEGV:11 TERM:15; do
    run exec_on box -- sh -c "kill -${sig%:*} \$\$"
    is "death by SIG${sig%:*} is 128 and its number" "$STATUS" $((128 + ${sig#*:}))
done

run exec_on box -- printf '%s|' 'a b' '' '*' '$HOME' '"' "it's" 'ä' '-n' '--'
is "arguments arrive as they are, no shell in between" "$(cat "$T/out")" "a b||*|\$HOME|\"|it's|ä|-n|--|"
run exec_on box -- sh -c 'echo $CMDOP_OPERATOR on $CMDOP_MACHINE in $HOME'
is "the environment says who and where" "$(cat "$T/out")" "$(id -un) on box in $T/box"
run exec_on box -- sh -c 'test -t 0 || test -t 1 || test -t 2 || echo none'
is "there is no terminal" "$(cat "$T/out")" none

run exec_on box -- no-such-program
refused "a program that is not found is 127" 127 'no such program.*PATH'
run exec_on box -- /etc/passwd
refused "a file that cannot be run is 126" 126 'may not be executed.*mode'
run exec_on box -- /
refused "a folder cannot be run either" 126 'may not be executed|folder|directory'
began=$(now_ms)
run exec_on --kill --timeout 1s box -- sh -c 'echo first; exec sleep 30'
is "a time-out is 124" "$STATUS" 124
is "what came before it is kept" "$(cat "$T/out")" first
fact "and it comes in time" test $(($(now_ms) - began)) -lt 4000
wait_for 5 sh -c "! pgrep -f '^sleep 30\$'"
run exec_on box
is "a command without -- is a mistake, told with the form" "$STATUS $(grep -c -- '-- ARGV' "$T/err")" '2 1'
run exec_on nobody -- true
refused "a machine that does not exist is told, with what to do" 255 'no machine.*--list'

is "standard input is the command's" "$(echo hello | exec_on box -- tr a-z A-Z)" HELLO
run exec_on box -- wc -c < /dev/null
is "its end is the command's end" "$(cat "$T/out")" 0
run exec_on box -- head -c 3 < /dev/zero
is "a command that stops reading ends by itself" "$STATUS $(wc -c < "$T/out")" '0 3'

spawn relay "$T/left.log" "$CMDOP" connect exec box -- sh -c 'echo begun; exec sleep 41'
wait_for 5 has "$T/left.log" begun
end "$SPAWNED"
fact "a command whose operator is ended ends too" wait_for 5 sh -c "! pgrep -f '^sleep 41\$'"

# Eight operators at a time.
for i in 1 2 3 4 5 6 7 8; do
    for j in 1 2 3 4 5; do exec_on box -- echo "$i.$j" || echo failed; done > "$T/many.$i" 2>&1 &
    echo $! > "$T/many.pid.$i"
done
for i in 1 2 3 4 5 6 7 8; do wait "$(cat "$T/many.pid.$i")"; done
is "forty commands, eight at a time, each has its own answer" "$(cat "$T"/many.[1-8] | sort | tr '\n' ' ')" \
    "$(for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4 5; do printf '%s ' $i.$j; done; done)"

# Streaming: an answer comes while the input is still open.
mkfifo "$T/in"
spawn relay "$T/answers.log" sh -c "'$CMDOP' connect exec box -- sed -u 's/^/got /' < '$T/in'"
exec 3> "$T/in"
echo one >&3
fact "a line is answered before the next is sent" wait_for 5 has "$T/answers.log" '^got one$'
echo two >&3
fact "and the next too" wait_for 5 has "$T/answers.log" '^got two$'
exec 3>&-
wait $SPAWNED
is "then it ends well" $? 0

# shellcheck disable=SC2046
run exec_on box -- echo $(seq 511)
is "a command of 512 words" "$STATUS $(wc -w < "$T/out")" '0 511'
# shellcheck disable=SC2046
run exec_on box -- echo $(seq 512)
is "has as many as may be" "$STATUS $(grep -c '512 words and 24 KiB at most; put it into a file' "$T/err")" '2 1'
long=$(head -c 24570 /dev/zero | tr '\0' x)
run exec_on box -- echo "$long"
is "one of 24 KiB" "$STATUS $(wc -c < "$T/out")" '0 24571'
run exec_on box -- echo "x$long"
is "is as long as may be" "$STATUS" 2
run at relay "$CMDOP" session create box -- echo "x$long"
is "that of a session as well" "$STATUS" 2
finish
