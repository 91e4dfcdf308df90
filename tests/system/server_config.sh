# server.yaml, environment and flags: which wins, what `server config` tells, and that a mistake is no
# start but a sentence with its line.
. tests/system/lib/test.sh
place relay
mkdir -p "$T/relay/config/cmdop"
YAML=$T/relay/config/cmdop/server.yaml
config() { at relay "$CMDOP" server config --json "$@" > "$T/json"; }
value() { json "$T/json" "d['values']['$1']['value']"; }
origin() { json "$T/json" "d['values']['$1']['origin']"; }

config
is "without a file all is default" "$(origin listen_grpc) $(value listen_grpc)" "default [::]:50051"
is "and the file is named" "$(json "$T/json" 'd["file"]') $(json "$T/json" 'd["file_found"]')" "$YAML false"
cat > "$YAML" <<END
# the relay of the tests
name: file.test
listen_grpc: 127.0.0.1:0
listen_api: "127.0.0.1:0"
max_connections: 64
END
config
is "the file counts, with its lines" "$(origin name) $(json "$T/json" 'd["values"]["name"]["line"]')" "file 2"
CMDOP_SERVER_NAME=env.test config
is "the environment counts more" "$(origin name) $(value name)" "environment env.test"
CMDOP_SERVER_NAME=env.test config --name flag.test
is "a flag counts most" "$(origin name) $(value name)" "flag flag.test"
mkdir "$T/elsewhere" && echo 'name: else.test' > "$T/elsewhere/server.yaml"
config --config "$T/elsewhere/server.yaml"
is "another file may be named" "$(value name)" else.test
CMDOP_CONFIG_DIR=$T/elsewhere config
is "or another folder" "$(value name)" else.test
at relay "$CMDOP" server config > "$T/out" 2> "$T/err"
says "people get lines" "$T/out" '^name +file\.test +file, line 2$'

echo "state_dir: $T/relay/kept" >> "$YAML"
spawn relay "$T/relay.log" "$CMDOP" server
RELAY=$SPAWNED
fact "the relay starts with the file alone" wait_for 10 has "$T/relay.log" '^  next '
fact "its folder is the one of the file" test -f "$T/relay/kept/relay.key"
fact "and join-key finds it there" join_key
fact "its certificate is for the name of the file" \
    openssl verify -verify_hostname file.test -CAfile "$T/relay/kept/ca.pem" "$T/relay/kept/server.pem"
end "$RELAY"

wrong() { # NAME LINE PATTERN
    cp "$YAML" "$T/yaml.good"
    echo "$2" >> "$YAML"
    run at relay timeout 10 "$CMDOP" server
    refused "$1" 1 "server\.yaml: line 7: $3"
    cp "$T/yaml.good" "$YAML"
}
wrong "an unknown key" 'listen_grcp: x' 'there is no key listen_grcp; did you mean listen_grpc\?'
wrong "a key that stands twice" 'name: again' 'the key name stands in line 2 already'
wrong "an alias" 'address: *x' 'aliases'
wrong "brackets without quotes" 'address: [::]:443' 'a value that begins with a bracket needs quotes'
wrong "a tag" 'address: !!str x' 'anchors .* and tags'
wrong "a wrong value" 'mode: public' 'mode is public'
wrong "half a pair" 'tls: {certificate: c.pem}' 'tls\.certificate is given, and tls\.key is not'
run at relay timeout 10 "$CMDOP" server --config "$T/none.yaml"
refused "a file that is named must be there" 1 'cannot read .*none\.yaml'
run at relay timeout 10 "$CMDOP" server --max-connections many
refused "a wrong flag is named" 1 '--max-connections takes'
run at relay timeout 10 "$CMDOP" server --listen-grpc localhost:0
refused "so is one that is no address" 1 '--listen-grpc is no address: .*numeric.* localhost'
run at relay "$CMDOP" server config --address nowhere
refused "by \`config\` as well" 1 '--address is no address: the port is missing'
CMDOP_SERVER_LISTEN_API=300.0.0.1:1 run at relay "$CMDOP" server config
refused "in the environment as well" 1 'CMDOP_SERVER_LISTEN_API is no address'
run at relay "$CMDOP" server config all
is "what is too much is named" "$STATUS $(grep -c 'expected here: all' "$T/err")" '2 1'
finish
