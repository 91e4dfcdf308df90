# A state file that is truncated or something else is told by name in one sentence; it is left as it
# is, and nothing is made in its place.
. tests/system/lib/test.sh
relay && machine box
end "$AGENT"
end "$RELAY"
cp -a "$T/relay" "$T/relay.good"
cp -a "$T/box" "$T/box.good"

# FILE VERB WHO: each kind of damage, and what the verb says to it.
damage() { # HOW FILE
    case $1 in
    empty)     : > "$2" ;;
    truncated) head -c $(($(wc -c < "$2") / 2)) "$2" > "$T/half" && cat "$T/half" > "$2" ;;
    garbage)   head -c "$(wc -c < "$2")" /dev/urandom > "$T/half" && cat "$T/half" > "$2" ;;
    longer)    cat "$2" "$2" "$2" > "$T/half" && cat "$T/half" "$T/half" > "$2" ;;
    open)      chmod 644 "$2" ;;
    esac
}

try() { # PLACE FILE STATUS PATTERN COMMAND...
    who=$1 file=$1/$2 wanted=$3 pattern=$4
    shift 4
    verb="cmdop ${2:-} ${3:-}"
    for how in $HOW; do
        damage "$how" "$T/$file"
        before=$(sum "$T/$file")
        run at "$who" timeout 10 "$@"
        refused "$how ${file##*/}: told by \`$verb\`" "$wanted" "$pattern"
        is "and left as it is" "$(sum "$T/$file")" "$before"
        rm -rf "${T:?}/$who"
        cp -a "$T/$who.good" "$T/$who"
    done
}

HOW='empty truncated garbage longer open'
try box state/cmdop/identity 1 'identity' "$CMDOP" agent start --foreground
try box config/cmdop/machine.key 1 'machine\.key' "$CMDOP" agent start --foreground
HOW='empty truncated garbage longer'
try box state/cmdop/agent.json 1 'agent\.json is damaged.*join' "$CMDOP" agent start --foreground
try box state/cmdop/identity 1 'identity' "$CMDOP" join cmdop://127.0.0.1:9/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA#cmdop_enroll_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
try relay config/cmdop/credentials.json 255 'credentials\.json' "$CMDOP" connect --list
try relay config/cmdop/credentials.json 1 'credentials\.json' "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0

HOW='empty truncated longer open'
try relay state/cmdop/credentials.key 255 'credentials\.key' "$CMDOP" connect --list

server() { try relay "state/cmdop/server/$1" 1 "$2" "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0; }
HOW='empty truncated longer open' # every 32 bytes are a key
server relay.key 'relay\.key'
HOW='empty truncated garbage'
server server.key 'server\.key'
server server.pem 'server\.pem'
HOW='truncated garbage'
server server.db 'server\.db|store'
try relay state/cmdop/server/server.db 1 'server\.db|store' "$CMDOP" server join-key

relay
agent box
is "with the good files everything works as before" "$(exec_on box -- echo yes)" yes
finish
