# Certificates are renewed while sessions run: nobody who is connected notices, who comes later gets
# the new one, and a broken new pair changes nothing.
. tests/system/lib/test.sh
. tests/system/lib/pki.sh
pki_ca ec
pki_ca rsa
pki_leaf ec one relay.test
pki_leaf rsa two relay.test
pki_leaf ec three relay.test
mkdir "$T/live"
place_cert() { cp "$T/pki/$1.pem" "$T/live/new" && mv "$T/live/new" "$T/live/cert.pem"; }
place_key() { cp "$T/pki/$1.key" "$T/live/new" && chmod 600 "$T/live/new" && mv "$T/live/new" "$T/live/key.pem"; }
place_cert one && place_key one

mkdir -p "$T/relay/config/cmdop"
cat > "$T/relay/config/cmdop/server.yaml" <<END
name: relay.test
tls:
  certificate: $T/live/cert.pem
  key: $T/live/key.pem
END
relay && machine box
is "the configured certificate is shown" "$(shown "$PORT")" "$(fingerprint "$T/pki/one.pem")"

links=$(grep -c machine.online "$T/relay.log")
exec_on box -- sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.02; done; echo end' > "$T/stream" 2> "$T/stream.err" &
STREAM=$!
wait_for 20 has "$T/stream" '^20$'

place_cert two && place_key two
kill -USR1 "$RELAY"
fact "asked by a signal it reads the new pair" wait_for 10 has "$T/relay.log" 'tls.renewed'
is "who comes now sees the new certificate" "$(shown "$PORT")" "$(fingerprint "$T/pki/two.pem")"
is "an operator with a TLS session of before is let in" "$(exec_on box -- echo yes)" yes

# Only one of the two files is there yet: the power went, or the tool is between its writes. A place
# rests for a quarter of a minute before it is used again.
place_key three
fact "half a new pair is refused with a line" wait_for 90 sh -c \
    "kill -USR1 $RELAY; sleep 1; grep -q 'tls.refused.*does not belong.*stays in force' '$T/relay.log'"
is "and the one before stays" "$(shown "$PORT")" "$(fingerprint "$T/pki/two.pem")"
is "operators are let in" "$(exec_on box -- echo yes)" yes
place_cert three
fact "with the other half the pair is taken" wait_for 40 sh -c \
    "kill -USR1 $RELAY; sleep 1; test \$(grep -c 'tls.renewed' '$T/relay.log') -eq 2"
is "and shown" "$(shown "$PORT")" "$(fingerprint "$T/pki/three.pem")"

wait "$STREAM"
is "the stream that ran all the time ended well" "$?" 0
is "and lost nothing" "$(cat "$T/stream")" "$(seq 400; echo end)"
fact "the machine stayed on its link" test "$(grep -c machine.online "$T/relay.log")" -eq "$links"

# A relay that was stopped between the two files says so instead of starting with half of them.
place_key one
end "$RELAY"
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0
refused "half a pair is no start" 1 'does not belong'

# Its own certificate: other names make another one, for the same key.
rm "$T/relay/config/cmdop/server.yaml"
relay --name first.test
first=$(shown "$PORT") key=$(sum "$SERVER/server.key")
end "$RELAY"
relay --name first.test
is "with the same names its own certificate stays" "$(shown "$PORT")" "$first"
end "$RELAY"
relay --name second.test
fact "with another name it is made anew" test "$(shown "$PORT")" != "$first"
fact "for that name, by the same authority" openssl verify -verify_hostname second.test -CAfile "$SERVER/ca.pem" "$SERVER/server.pem"
is "and for the same key" "$(sum "$SERVER/server.key")" "$key"
fact "the machine comes back, whatever is shown" wait_for 60 has "$T/relay.log" 'machine.online'
is "and works" "$(exec_on box -- echo yes)" yes
end "$RELAY"
# PORT is kept, so the address is one that was used before.
before=$(shown "$PORT")
relay --name second.test --address "far.example:$PORT"
fact "an address is a name as well" openssl verify -verify_hostname far.example -CAfile "$SERVER/ca.pem" "$SERVER/server.pem"
finish
