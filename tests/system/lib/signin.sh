# A relay on grpc-js that only signs people in, for tests of the tool; after test.sh:
#
#     signin_relay            # sets RELAY, PORT, SERVER_URL
#     control '{"device": ["ok"]}'

for program in node npm openssl; do
    [ -n "$(command -v $program)" ] || skip "$program is not here"
done
modules=$(tests/foreign/js/install 2> "$T/npm") || skip "the packages cannot be installed: $(tail -n 1 "$T/npm")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2> "$T/err"
: > "$T/events"

control() { echo "$1" > "$T/control.new" && mv "$T/control.new" "$T/control"; } # JSON: see signin.js

signin_relay() { # again, on its port with its key, if it was there before
    rm -f "$T/ready"
    spawn relay "$T/relay.log" env NODE_PATH="$modules" KEY="$T/key.pem" CERT="$T/cert.pem" CONTROL="$T/control" \
        EVENTS="$T/events" READY="$T/ready" PORT="${PORT:-0}" node tests/foreign/js/signin.js
    RELAY=$SPAWNED
    wait_for 20 test -s "$T/ready" || return 1
    read -r PORT PIN < "$T/ready"
    SERVER_URL=cmdop://127.0.0.1:$PORT/$PIN
}

events() { grep -Ec -- "$1" "$T/events"; } # PATTERN: how many
