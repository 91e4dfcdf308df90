# A relay is reached over IPv6 as over IPv4, by name and by number, and by the address that its owner
# gave it.
. tests/system/lib/test.sh
"$PY" -c 'import socket; socket.create_server(("::1", 0), family=socket.AF_INET6)' 2> "$T/err" || skip "there is no IPv6 here"

relay --listen-grpc '[::1]:0'
says "a relay listens on ::1" "$T/relay.log" '^  machines   \[::1\]:[0-9]+$'
fact "a machine joins it" machine box
is "and takes commands" "$(exec_on box -- echo yes)" yes
run join box "$(join_key | sed 's,\[::1\],localhost,')"
is "by name, which leads to both kinds of address" "$STATUS" 0
run join box "$(join_key | sed 's,\[::1\],127.0.0.1,')"
refused "not by an address where it does not listen" 255 '127\.0\.0\.1:[0-9]+: nothing listens'
end "$AGENT"
end "$RELAY"

PORT=0
relay --listen-grpc '[::]:0' --address "relay.example:50051"
says "the owner's address goes into join strings" /dev/stdin '^cmdop://relay\.example:50051/' <<END
$(join_key)
END
PORT=$(sed -n 's/^  machines .*:\([0-9]*\)$/\1/p' "$T/relay.log")
run connect --list
is "while he himself comes by localhost" "$STATUS" 0
run at second "$CMDOP" server --listen-grpc relay.example:1 --listen-api 127.0.0.1:0
refused "to listen on a name is a mistake that is told" 1 'numeric address'
run at second "$CMDOP" server --listen-grpc 127.0.0.1:99999 --listen-api 127.0.0.1:0
refused "a port that does not exist too" 1 'port|address'
finish
