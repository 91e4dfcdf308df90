# Certificates by openssl(1), for tests of a relay with a public one: a root, an
# intermediate below it, and leaves below that; two kinds, ec and rsa.
#
#     pki_ca KIND                      $T/pki/KIND-root.pem, KIND-mid.pem
#     pki_leaf KIND NAME DNS [DAYS]    $T/pki/NAME.pem (a chain), NAME.key

pki_key() { # KIND FILE
    case $1 in
    ec)   openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" ;;
    p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$2" ;;
    rsa)  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" ;;
    esac 2>> "$T/pki/log"
    chmod 600 "$2"
}

pki_ca() { # KIND
    mkdir -p "$T/pki"
    (
        cd "$T/pki" || exit 1
        printf 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n' > ca.ext
        pki_key "$1" "$1-root.key"
        openssl req -new -x509 -key "$1-root.key" -subj "/CN=$1 root" -days 3650 -sha256 -out "$1-root.pem"
        pki_key "$1" "$1-mid.key"
        openssl req -new -key "$1-mid.key" -subj "/CN=$1 intermediate" -out mid.csr
        openssl x509 -req -in mid.csr -CA "$1-root.pem" -CAkey "$1-root.key" -CAcreateserial \
            -days 3650 -sha384 -extfile ca.ext -out "$1-mid.pem" 2>> log
    )
}

# With DAYS negative the certificate has expired. CA_OF names another authority's kind.
pki_leaf() { # KIND NAME DNS [DAYS]
    ca=${CA_OF:-$1}
    (
        cd "$T/pki" || exit 1
        printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$3" > leaf.ext
        pki_key "$1" "$2.key"
        openssl req -new -key "$2.key" -subj "/CN=$3" -out leaf.csr
        "$PY" - "${4:-90}" > when <<'END'
import sys, time
days = int(sys.argv[1])
now = time.time()
start = now - 86400 if days > 0 else now - 86400 * 30
end = now + 86400 * days
print(time.strftime("%y%m%d%H%M%SZ", time.gmtime(start)), time.strftime("%y%m%d%H%M%SZ", time.gmtime(end)))
END
        read -r from to < when
        rm -rf db && mkdir db && : > db/index && echo "$(date +%s%N | cut -c1-16)" > db/serial
        cat > ca.cnf <<END
[ca]
default_ca = it
[it]
database = db/index
new_certs_dir = db
serial = db/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
        openssl ca -batch -config ca.cnf -in leaf.csr -cert "$ca-mid.pem" -keyfile "$ca-mid.key" \
            -startdate "$from" -enddate "$to" -extfile leaf.ext -notext -out issued.pem 2>> log &&
            cat issued.pem "$ca-mid.pem" > "$2.pem"
    )
}

# The fingerprint that somebody who connects sees, and that of a file.
shown() { # PORT
    openssl s_client -connect "127.0.0.1:$1" -alpn h2 -tls1_2 < /dev/null 2> "$T/s_client" |
        openssl x509 -noout -fingerprint -sha256 2> /dev/null
}
fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256; }
