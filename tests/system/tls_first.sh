# The first contact with a relay of which only HOST:PORT is known: authorities vouch for it once, its key
# is pinned, and after that no authority counts.
. tests/system/lib/test.sh
. tests/system/lib/pki.sh
pki_ca ec
pki_ca rsa
pki_leaf ec good localhost
pki_leaf rsa other localhost
pki_leaf ec wrong relay.test
serve() { relay --tls-certificate "$T/pki/$1.pem" --tls-key "$T/pki/$1.key"; }
serve good
key() { join_key "$@" | sed 's,.*#,,'; }
first() { # PLACE [OPTION...]
    who=$1
    shift
    run at "$who" timeout 30 "$CMDOP" join --name "$who" --server "localhost:$PORT" "$@" "$(key)"
}

first box --ca-file "$T/pki/ec-root.pem"
says "a machine joins by name, key and authority" "$T/out" '^joined as box '
is "it has pinned the relay's key" "$(json "$T/box/state/cmdop/agent.json" 'd["pin"]')" \
    "$(join_key | sed 's,.*/\(.*\)#.*,\1,')"
fact "and comes online" agent box
CMDOP_CA_FILE=$T/pki/ec-root.pem first second
says "the authority may be named by the environment" "$T/out" '^joined as second '

refuses() { # NAME STATUS PATTERN OPTION...
    name=$1 status=$2 pattern=$3
    shift 3
    first stray "$@"
    refused "$name" "$status" "$pattern"
    fact "and leaves no record of a relay" test ! -e "$T/stray/state/cmdop/agent.json"
}
refuses "another authority does not vouch" 255 'no authority that this machine trusts.*--ca-file.*join string' --ca-file "$T/pki/rsa-root.pem"
first stray
says "neither does the system's list, if there is one" "$T/err" 'no authority that this machine trusts|no list of trusted'
refuses "an authorities' file that is not there" 1 'cannot read .*none\.pem' --ca-file "$T/none.pem"
echo junk > "$T/junk.pem"
refuses "or holds none" 1 'holds no certificate' --ca-file "$T/junk.pem"

spawn desk "$T/desk.log" "$CMDOP" login --no-browser --ca-file "$T/pki/ec-root.pem" --server "localhost:$PORT"
wait_for 20 has "$T/desk.log" 'Waiting for you'
end "$SPAWNED"
says "an operator is told the key that is pinned" "$T/desk.log" 'certificate of localhost:.* is good.*SHA256:'
run at desk timeout 20 "$CMDOP" login --no-browser --ca-file "$T/pki/rsa-root.pem" --server "localhost:$PORT"
says "and stopped by another authority" "$T/err" 'no authority that this machine trusts'
run at desk timeout 20 "$CMDOP" login --no-browser --server "127.0.0.1:$PORT"
refused "a bare address is no name" 1 'bare address 127\.0\.0\.1.*DNS name.*join string'

end "$RELAY"
serve other
fact "with another certificate the machine comes back: its key counts" wait_for 20 has "$T/relay.log" 'machine.online'
end "$RELAY"
serve wrong
refuses "a certificate for another name does not do" 255 'for another name' --ca-file "$T/pki/ec-root.pem"
end "$RELAY"
mv "$SERVER/relay.key" "$T/old.key"
serve good
fact "with another key the machine stays away, whoever vouches" wait_for 60 has "$T/box.log" 'pinned: its key is SHA256:.*, not SHA256:'
finish
