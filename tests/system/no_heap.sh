# An agent in which every call of malloc or free after the start ends the program does all that an
# agent does.
. tests/system/lib/test.sh
[ -x "$BUILD/nomalloc/cmdop" ] || skip "$BUILD/nomalloc/cmdop is not there; make nomalloc builds it"
[ -n "$(command -v openssl)" ] || skip "openssl is not here"
relay
join box "$(join_key | sed 's,127.0.0.1,localhost,')" > /dev/null
FULL=$CMDOP
CMDOP=$PWD/$BUILD/nomalloc/cmdop # the agents; operators and relay stay
fact "it comes online, by the relay's name" agent box
CMDOP=$FULL

is "it runs commands" "$(for i in 1 2 3 4 5 6 7 8; do exec_on box -- echo $i & done | sort | tr -d '\n'; wait)" 12345678
run exec_on box -- no-such-program
is "also those that are not there" "$STATUS" 127
run exec_on --timeout 200ms box -- sleep 20
is "and those that take too long" "$STATUS" 124
head -c 8388608 /dev/urandom > "$T/data"
is "it carries bytes both ways" "$(exec_on box -- cat < "$T/data" | sha256sum)" "$(sha256sum < "$T/data")"
is "it serves the local user" "$(at box "$CMDOP" connect exec --local box -- echo yes)" yes
script <<'EOS'
from facts import *
from terminal import *
from wire import *

t = connect("box")
t.prompt()
t.type("seq 300000\r")
fact("it holds a session", t.expect(r"\r\n300000\r\n"))
t.resize(40, 100)
t.type("\x04")
t.wait()
t = connect("box")
fact("also when its operator was away", t.expect("reattached"))
t.type("\rexit 3\r")
fact("to its end", t.wait() == 3, t.status, t.seen[-200:])

s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(os.path.join(T, "box/run/cmdop/agent.sock"))
s.sendall(PREFACE + frame(SETTINGS) + os.urandom(65536))
fact("it lets garbage go", rest(s) is not None)
EOS

echo 'a password' > "$T/word" && chmod 600 "$T/word"
fact "it takes a password" sh -c "exec env HOME='$T/box' XDG_CONFIG_HOME='$T/box/config' \
    XDG_STATE_HOME='$T/box/state' XDG_RUNTIME_DIR='$T/box/run' '$CMDOP' connect password set < '$T/word'"
run exec_on box -- echo yes
is "asks for it" "$STATUS" 6
is "and lets in who has it" "$(exec_on --password-file "$T/word" box -- echo yes)" yes

end "$RELAY" KILL
wait_for 10 has "$T/box.log" 'relay.dial'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2> "$T/err"
script <<'EOS'
from facts import *
from rude import *
rude = Rude("noise in TLS", int(os.environ["PORT"]))
fact("it meets a relay that is none", wait_for(lambda: rude.count >= 2, 15), rude.count)
EOS
relay
fact "it comes back" wait_for 40 has "$T/relay.log" 'machine.online msg="box"'
is "and runs commands again" "$(exec_on box -- echo yes)" yes
end "$AGENT"
is "it ends well" "$STATUS" 0
is "and has never called the heap" "$(grep -c "heap call" "$T/box.log")" 0
finish
