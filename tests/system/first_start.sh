# The first start of a relay makes its files private, whatever the umask, and leaves the user
# who started it signed in; the next start changes none of them.
. tests/system/lib/test.sh
umask 000

fact "the relay starts in an empty home" relay
is "its folders are 0700" "$(modes "$T/relay/state" "$T/relay/state/cmdop" "$SERVER" "$T/relay/config/cmdop" | sort -u)" 700
is "its files are 0600" "$(modes $(find "$T/relay/state" "$T/relay/config" -type f) | sort -u)" 600
fact "key, certificates and store are there" \
    ls "$SERVER/relay.key" "$SERVER/ca.key" "$SERVER/ca.pem" "$SERVER/server.key" "$SERVER/server.pem" "$SERVER/server.db"
is "its own key is a seed of 32 bytes" "$(wc -c < "$SERVER/relay.key")" 32
fact "the certificate is the CA's, for localhost" \
    openssl verify -verify_hostname localhost -CAfile "$SERVER/ca.pem" "$SERVER/server.pem"
run connect --list --json
is "the user is signed in and the fleet is empty" "$STATUS $(cat "$T/out")" '0 {"machines":[]}'
is "the sign-in is 0600" "$(modes "$T/relay/config/cmdop/credentials.json")" 600

fact "a machine joins and comes online" machine box
is "the machine's folders are 0700" \
    "$(modes "$T/box/state" "$T/box/state/cmdop" "$T/box/config/cmdop" "$T/box/run/cmdop" | sort -u)" 700
is "the machine's files are 0600" "$(modes $(find "$T/box/state" "$T/box/config" -type f) | sort -u)" 600
fact "its socket is for its user alone" test "$(modes "$T/box/run/cmdop/agent.sock" | cut -c2-)" = 00

before=$(cd "$T/relay" && sha256sum config/cmdop/credentials.json state/cmdop/server/*.key state/cmdop/server/*.pem)
end "$RELAY"
fact "the relay starts again" relay
is "its keys, certificates and sign-in are what they were" \
    "$(cd "$T/relay" && sha256sum config/cmdop/credentials.json state/cmdop/server/*.key state/cmdop/server/*.pem)" "$before"
finish
