# Behind a proxy that ends TLS (nginx): machines and operators work through it because the relay knows
# the proxy's certificate; a wrong one is refused with the reason, at once. And who calls is whom the
# proxy saw, if the relay was told to believe it.
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
FRONT=$(free_port) BACK=$(free_port) WEB=$(free_port) API=$(free_port) DIRECT=$(free_port)
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
        location /cmdop.agent.v1.Mesh/ {
            grpc_pass grpc://127.0.0.1:$BACK;
            grpc_read_timeout 1h;
            grpc_send_timeout 1h;
            grpc_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
        }
    }
    server {
        listen 127.0.0.1:$WEB ssl;
        ssl_certificate $T/pki/front.pem;
        ssl_certificate_key $T/pki/front.key;
        location / {
            proxy_pass http://127.0.0.1:$API;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
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
shows() { test "$(shown "$FRONT")" = "$(fingerprint "$1")"; }
wait_for 10 shows "$T/pki/renewed.pem"
# Its old workers take connections for a moment still.
works() { test "$(desk exec box -- echo yes)" = yes; }
fact "an operator works through that as well" wait_for 10 works

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

# ---- who calls
echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role owner > "$T/out"
who_calls() { # OPTION...: a relay that is asked from several places; the script is standard input
    PORT=$DIRECT
    relay --address "localhost:$FRONT" --proxy-certificate "$T/nginx/cert.pem" --proxy-listen "127.0.0.1:$BACK" \
        --api-url "https://localhost:$WEB" "$@"
    PORT=$DIRECT # what is announced is the proxy's
    {
        cat <<END
from facts import *
from mesh import *
from browser import *
FRONT, BACK, WEB, API, CA = $FRONT, $BACK, $WEB, $API, "$T/pki/rsa-root.pem"
END
        cat <<'END'
store = Store()
ada = store.do("select id from person where login = 'ada'")[0][0]
fleet = store.do("select fleet_id from member where person_id = ?", ada)[0][0]
token = store.token(fleet, ada)[0]
says = lambda who: [("x-forwarded-for", who)]
let_in = lambda said: said[0] == WELCOME
kept_out = lambda said: said[0] == REFUSE and said[1].get(1) == DENIED

def browser(source, claims=None, port=WEB):
    b = Browser(port, CA if port == WEB else None)
    b.source = source
    if claims:
        b.headers["X-Forwarded-For"] = claims
    return b

def rest(source, claims=None, port=WEB):
    """The status of a question to the fleet, asked from there."""
    return browser(source, claims, port).json("GET", "/api/fleets/" + fleet, token=token)[0]

store.do("update fleet set ip_allow = '127.0.0.2' where id = ?", fleet)
END
        cat
    } > "$T/who_calls"
    script < "$T/who_calls"
    end "$RELAY"
    PORT=0
}

who_calls <<'END'
a = Mesh(token, FRONT, "127.0.0.2").said
fact("a relay that was told of no proxy believes none", kept_out(a), a)
fact("in HTTP neither", rest("127.0.0.2") == 403, rest("127.0.0.2"))
END

who_calls --trusted-proxies '127.0.0.1/32, ::1/128' --max-connections 40 <<'END'
a = Mesh(token, FRONT, "127.0.0.2").said
fact("through a proxy that is believed an address on the list comes in", let_in(a), a)
a = Mesh(token, FRONT, "127.0.0.3").said
fact("and another does not", kept_out(a), a)
fact("whatever it says of itself", all(kept_out(Mesh(token, FRONT, "127.0.0.3", more=says(who)).said)
                                       for who in ("127.0.0.2", "127.0.0.2, 127.0.0.1", "127.0.0.2,")))
a = Mesh(token, FRONT, "127.0.0.2", more=says("127.0.0.3")).said
fact("which does not matter for the first either", let_in(a), a)
a = Mesh(token, BACK, "127.0.0.3", plain=True, more=says("127.0.0.2")).said
fact("who is not the proxy is not believed at the proxy's port", kept_out(a), a)
a = [Mesh(token, BACK, "127.0.0.1", True, says("127.0.0.2"), says("127.0.0.3")).said,
     Mesh(token, BACK, "127.0.0.1", True, (), says("127.0.0.2")).said]
fact("what the proxy said of another request counts for that one", let_in(a[0]) and kept_out(a[1]), a)
a = Mesh(token, source="127.0.0.1", more=says("127.0.0.2")).said
fact("nor is anybody whose TLS ends at the relay", kept_out(a), a)
a = Mesh(token, source="127.0.0.2", more=says("127.0.0.3")).said
fact("who comes directly has his own address", let_in(a), a)

got = [rest("127.0.0.2"), rest("127.0.0.3"), rest("127.0.0.3", "127.0.0.2"), rest("127.0.0.2", "127.0.0.3")]
fact("in HTTP the same holds", got == [200, 403, 403, 200], got)
got = [rest("127.0.0.3", "127.0.0.2", API), rest("127.0.0.2", "127.0.0.3", API)]
fact("and without the proxy", got == [403, 200], got)

browser("127.0.0.4", "127.0.0.9").json("POST", "/api/system/oauth/device", {})
Mesh(None, FRONT, "127.0.0.5", more=says("127.0.0.9")).ask("auth.device")
rows = store.do("select address from device order by address")
fact("whoever is asked to approve a sign-in sees where it comes from", rows == [("127.0.0.4",), ("127.0.0.5",)], rows)

def guess(n):
    return browser("127.0.0.6", "127.0.1.%d" % n).sign_in("nobody%d" % n, "wrong wrong wrong").status
got = []
while len(got) < 20 and 429 not in got:
    got.append(guess(len(got)))
fact("who guesses has to wait, whomever he says he is", len(got) > 5 and got[-1] == 429, got)
b = browser("127.0.0.2")
p = b.sign_in("ada", "correct horse battery")
fact("and nobody else has, behind the same proxy", p.status == 200 and "ada" in p.text, p.status, p.text)
fact("a cookie never goes without the proxy's TLS", all(c.startswith("__Host-cmdop=") and "Secure" in c for c in b.strict), b.strict)

# 40 / 8 + 16 strangers of one address; they may go while others come
crowd, said = [], None
while len(crowd) < 100 and (not said or said[0] == CHALLENGE):
    crowd.append(Mesh(None, FRONT, "127.0.0.7", half=True, more=says("127.0.2.%d" % (len(crowd) % 250))))
    said = crowd[-1].said
fact("strangers of one address take their share of the relay and no more", said[0] == REFUSE and
     said[1].get(1) == LIMIT and b"one address" in said[1].get(2, b"") and len(crowd) > 20, len(crowd), said)
said = Mesh(None, FRONT, "127.0.0.8", half=True).said
fact("which leaves the others theirs", said[0] == CHALLENGE, said)
END
end "$PROXY" # it writes over its environment, by which we know what is ours

run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 --proxy-certificate "$T/none.pem"
refused "a proxy's certificate that is not there is no start" 1 'none\.pem'
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 --proxy-listen 127.0.0.1:0
refused "neither is a proxy without one" 1 'proxy\.certificate is not'
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 \
    --proxy-certificate "$T/nginx/cert.pem" --proxy-from nobody
refused "nor a name for an address" 1 '--proxy-from takes'
run at relay timeout 20 "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0 --trusted-proxies 0.0.0.0/0
refused "and nobody is made to believe everybody" 1 'trusted-proxies takes up to 16 networks'
printf 'trusted_proxies:\n- 10.0.0.0/8\n- nginx\n' > "$T/relay/config/cmdop/server.yaml"
run at relay "$CMDOP" server config
refused "a mistake in server.yaml is told with its line" 1 'server\.yaml: line 3: trusted_proxies takes'
printf 'trusted_proxies: [10.0.0.0/8, "::1/128"]\n' > "$T/relay/config/cmdop/server.yaml"
run at relay "$CMDOP" server config
says "and what is right is shown" "$T/out" '^trusted_proxies +10\.0\.0\.0/8,::1/128 +file, line 1$'
finish
