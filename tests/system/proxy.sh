# Behind a proxy that ends TLS (nginx): machines and operators work through it because the relay knows
# the proxy's certificate; a wrong one is refused with the reason, at once.
. tests/system/lib/test.sh
. tests/system/lib/pki.sh
NGINX=$(command -v nginx || echo "$PWD/build/peers/usr/sbin/nginx")
test -x "$NGINX" || skip "nginx is not here"
free_port() { "$PY" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
pki_ca ec
pki_ca rsa
pki_leaf rsa front localhost
pki_leaf ec other localhost
pki_leaf ec renewed localhost
FRONT=$(free_port) BACK=$(free_port)
mkdir "$T/nginx"
cp "$T/pki/front.pem" "$T/nginx/cert.pem" && cp "$T/pki/front.key" "$T/nginx/key.pem"
cat > "$T/nginx/conf" <<END
daemon off;
master_process on;
user $(id -un);
worker_processes 1;
pid $T/nginx/pid;
error_log $T/nginx/log;
events { }
http {
    access_log off;
    client_body_temp_path $T/nginx; proxy_temp_path $T/nginx; fastcgi_temp_path $T/nginx;
    uwsgi_temp_path $T/nginx; scgi_temp_path $T/nginx;
    server {
        listen 127.0.0.1:$FRONT ssl http2;
        ssl_certificate $T/nginx/cert.pem;
        ssl_certificate_key $T/nginx/key.pem;
        client_max_body_size 0;
        client_body_timeout 1h;
        location / {
            grpc_pass grpc://127.0.0.1:$BACK;
            grpc_read_timeout 1h;
            grpc_send_timeout 1h;
        }
    }
}
END
relay --address "localhost:$FRONT" --proxy-certificate "$T/nginx/cert.pem" --proxy-listen "127.0.0.1:$BACK"
PORT=0
says "the relay tells where a proxy comes in" "$T/relay.log" "^  proxy +127.0.0.1:$BACK"
spawn proxy "$T/nginx.log" "$NGINX" -p "$T/nginx" -c "$T/nginx/conf"
PROXY=$SPAWNED
wait_for 10 test -s "$T/nginx/pid"
wait_for 10 sh -c "openssl s_client -connect 127.0.0.1:$FRONT < /dev/null"

# An operator whose relay is the proxy's address.
place desk
mkdir -p "$T/desk/state/cmdop"
cp -a "$T/relay/config" "$T/desk/"
cp -a "$T/relay/state/cmdop/"credentials* "$T/desk/state/cmdop/"
signins desk "address=localhost:$FRONT"
desk() { at desk "$CMDOP" connect "$@"; }

fact "a machine joins through the proxy and comes online" machine box
is "an operator works through it" "$(desk exec box -- echo yes)" yes
is "input and output go both ways" "$(seq 20000 | desk exec box -- sort -n | sha256sum)" "$(seq 20000 | sha256sum)"
is "a status comes back" "$(desk exec box -- sh -c 'exit 7' > /dev/null 2>&1; echo $?)" 7
is "and who comes directly works as before" "$(exec_on box -- echo yes)" yes

cp "$T/pki/renewed.pem" "$T/nginx/cert.pem" && cp "$T/pki/renewed.key" "$T/nginx/key.pem"
kill -USR1 "$RELAY"
kill -HUP "$PROXY"
fact "the proxy's new certificate is read" wait_for 10 has "$T/relay.log" 'proxy.renewed'
wait_for 10 test "$(shown "$FRONT")" = "$(fingerprint "$T/pki/renewed.pem")"
is "an operator works through that as well" "$(desk exec box -- echo yes)" yes

cp "$T/pki/other.pem" "$T/wrong.pem"
end "$RELAY"
relay --address "localhost:$FRONT" --proxy-certificate "$T/wrong.pem" --proxy-listen "127.0.0.1:$BACK"
PORT=0
run desk --list
refused "with a wrong certificate an operator is told why" 255 'ends TLS.*proxy\.certificate'
end "$AGENT"
spawn box "$T/box.log" "$CMDOP" agent start --foreground
fact "and the machine as well" wait_for 20 has "$T/box.log" 'ends TLS.*proxy\.certificate'
end "$RELAY"
relay --address "localhost:$FRONT" --proxy-certificate "$T/nginx/cert.pem" --proxy-listen "127.0.0.1:$BACK" --proxy-from 192.0.2.1
PORT=0
run desk --list
fact "a proxy from another address is not let in" test "$STATUS" -eq 255
says "and the log names it" "$T/relay.log" 'proxy.stranger msg="127.0.0.1:'
end "$RELAY"
end "$PROXY" # it writes over its environment, by which we know what is ours

run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 --proxy-certificate "$T/none.pem"
refused "a proxy's certificate that is not there is no start" 1 'none\.pem'
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 --proxy-listen 127.0.0.1:0
refused "neither is a proxy without one" 1 'proxy\.certificate is not'
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 \
    --proxy-certificate "$T/nginx/cert.pem" --proxy-from nobody
refused "nor a name for an address" 1 'proxy\.from takes'
finish
