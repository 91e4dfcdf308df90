# A client on grpc-js, a library that nobody here wrote, signs in at our relay, runs a command on a
# machine and lists the machines.
. tests/system/lib/test.sh
[ -n "$(command -v node)" ] && [ -n "$(command -v npm)" ] || skip "node and npm are not here"
modules=$(tests/foreign/js/install 2> "$T/npm") || skip "the packages cannot be installed: $(tail -n 1 "$T/npm")"
relay && machine box && signins relay > "$T/signins.json"

env NODE_PATH="$modules" PORT="$PORT" CA="$SERVER/ca.pem" CERT="$SERVER/server.pem" HOST=box \
    CREDENTIALS="$T/signins.json" timeout 60 node tests/foreign/js/client.js > "$T/client" 2>&1
status=$?
facts_in "$T/client"
is "the client ends well" $status 0
fact "no registry is named in the lock file" sh -c '! grep -q resolved tests/foreign/js/package-lock.json'
finish
