# A relay with a certificate of a public authority: chains of each kind are shown and work, and what
# is configured and cannot be used is refused with its reason before anybody listens.
. tests/system/lib/test.sh
. tests/system/lib/pki.sh
pki_ca ec
pki_ca rsa
pki_leaf ec one relay.test
pki_leaf rsa two relay.test
CA_OF=ec pki_leaf p384 three relay.test
pki_leaf ec old relay.test -1

verified() { # ROOT: as a client that knows the authority sees it
    openssl s_client -connect "127.0.0.1:$PORT" -alpn h2 -tls1_2 -CAfile "$1" -verify_return_error \
        -verify_hostname relay.test < /dev/null
}

for pair in one:ec two:rsa three:ec; do
    leaf=${pair%:*} root=$T/pki/${pair#*:}-root.pem
    relay --tls-certificate "$T/pki/$leaf.pem" --tls-key "$T/pki/$leaf.key"
    fact "the chain $leaf is shown and verifies" verified "$root"
    if [ $leaf = one ]; then machine box; else wait_for 20 has "$T/relay.log" 'machine.online'; fi
    is "a machine and an operator work through it" "$(exec_on box -- echo $leaf)" $leaf
    end "$RELAY"
done
fact "no certificate of its own was made" test ! -e "$SERVER/server.pem"

start() { run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 "$@"; }
pair() { start --tls-certificate "$1" --tls-key "$2"; }

cd "$T/pki" || exit 2
pair old.pem old.key
refused "an expired certificate" 1 'certificate has expired at .*clock says'
pair one.pem two.key
refused "a key of another certificate" 1 'key does not belong to the certificate'
pair two.pem one.key
refused "and the other way round" 1 'key does not belong to the certificate'
pair one.pem none.key
refused "a key that is not there" 1 'cannot read none\.key'
pair none.pem one.key
refused "a certificate that is not there" 1 'cannot read none\.pem'
cp one.key open.key && chmod 644 open.key
pair one.pem open.key
refused "a key that others may read" 1 'open\.key'
cat one.pem > bad.pem && sed -i '5s/./!/10' bad.pem
pair bad.pem one.key
refused "a damaged certificate" 1 'PEM block is damaged'
head -c 100 one.key > half.key && chmod 600 half.key
pair one.pem half.key
refused "half a key" 1 'PEM block is damaged'
openssl pkcs8 -topk8 -in one.key -passout pass:x -out locked.key && chmod 600 locked.key
pair one.pem locked.key
refused "an encrypted key" 1 'key is encrypted.*without a password'
cat ec-mid.pem one.pem > order.pem
pair order.pem one.key
refused "a chain in another order" 1 'does not belong|not signed by the next'
cat one.pem ec-root.pem > hole.pem
awk '/BEGIN/ { n++ } n != 2' one.pem > alone.pem
cat alone.pem ec-root.pem > hole.pem
pair hole.pem one.key
refused "a chain with a hole" 1 'not signed by the next'
start --tls-certificate one.pem
refused "a certificate without its key" 1 'tls\.key is not'
cd - > /dev/null || exit 2
relay --tls-certificate "$T/pki/one.pem" --tls-key "$T/pki/one.key"
is "the good pair is taken as before" "$(shown "$PORT")" "$(fingerprint "$T/pki/one.pem")"
finish
