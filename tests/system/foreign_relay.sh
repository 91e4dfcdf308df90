# Our agent joins and serves a small relay on grpc-js, which checks the machine's proof by itself.
# The clocks are three hours apart: that is told, and hinders nothing.
. tests/system/lib/test.sh
for program in node npm openssl; do
    [ -n "$(command -v $program)" ] || skip "$program is not here"
done
modules=$(tests/foreign/js/install 2> "$T/npm") || skip "the packages cannot be installed: $(tail -n 1 "$T/npm")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2> "$T/err"
secret=cmdop_enroll_$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')

spawn relay "$T/relay.log" env NODE_PATH="$modules" KEY="$T/key.pem" CERT="$T/cert.pem" JOIN_KEY="$secret" \
    READY="$T/ready" SKEW_MS=10800000 node tests/foreign/js/relay.js
RELAY=$SPAWNED
fact "the relay is ready" wait_for 10 test -s "$T/ready"
read -r port pin < "$T/ready"
run join box "cmdop://127.0.0.1:$port/$pin#$secret"
is "the machine joins" "$STATUS" 0
is "under the id and the fleet that the relay gave" \
    "$(json "$T/box/state/cmdop/agent.json" '[d["machine_id"], d["fleet_id"]]')" \
    '["11111111-2222-4333-8444-555555555555", "fleet-1"]'
fact "the agent comes online" agent box
says "it tells that its clock is behind, and what to do" "$T/box.log" "clock.skew.*(10799|10800|10801) seconds behind the relay's; set it"
at box "$CMDOP" agent status --json > "$T/out"
fact "status has it too" json_is "$T/out" '-10801000 < d["clock_ahead_ms"] < -10799000'
wait_for 30 gone "$RELAY"
wait "$RELAY"
is "the relay ends well" $? 0
facts_in "$T/relay.log"
fact "the agent lives, and notes the loss" wait_for 5 has "$T/box.log" 'relay.lost'

run join other "cmdop://127.0.0.1:$port/$pin#$secret"
is "where the relay was nobody joins" "$STATUS" 255
finish
