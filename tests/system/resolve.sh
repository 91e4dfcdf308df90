# A machine is named by its id, host name, name or a unique prefix; what fits several is refused
# with the candidates.
. tests/system/lib/test.sh
relay && machine web-1 && machine web-2 && machine db

reached() { # the machine that a target leads to
    exec_on "$1" -- sh -c 'echo $CMDOP_MACHINE' 2>&1
}
id=$(machine_id web-2)
is "by name" "$(reached web-1)" web-1
is "by id" "$(reached "$id")" web-2
is "by the beginning of an id" "$(reached "$(echo "$id" | cut -c1-13)")" web-2
is "by a unique prefix of the name" "$(reached db)" db
run exec_on d -- true
refused "a prefix of one character is refused" 255 'no machine.*two characters'
run exec_on web -- true
refused "a prefix of several names the candidates" 255 \
    'several machines match: (web-1 \([0-9a-f]{8}\), web-2|web-2 \([0-9a-f]{8}\), web-1) .*(more of the name|UUID)'
run exec_on "$(uname -n)" -- true
refused "a host name of several names the candidates" 255 'several machines match: .*db'
run exec_on webb -- true
refused "what fits none is told" 255 'no machine of the fleet'
run exec_on "" -- true
fact "an empty name is refused" test "$STATUS" -ne 0

# A machine with a host name of its own needs a name space, and that needs root.
if unshare --uts true 2> /dev/null; then
    join other > /dev/null
    spawn other "$T/other.log" unshare --uts sh -c "hostname lighthouse.local; exec '$CMDOP' agent start --foreground"
    wait_for 10 has "$T/other.log" 'event=relay.online'
    is "by host name" "$(reached lighthouse)" other
    is "by host name with .local" "$(reached lighthouse.local)" other
    is "by a prefix of the host name" "$(reached light)" other
    join light > /dev/null
    run exec_on light -- true
    refused "a name that is whole wins over a prefix, and it is offline" 255 'offline'
else
    pass_over "a machine with a host name of its own needs root"
fi

end "$AGENT"
wait_for 5 has "$T/relay.log" 'machine.offline'
is "a target that looks like an option needs --" "$(exec_on -- -x 2> "$T/err"; echo $?)" 2
finish
