# A machine whose relay turns into something else, or talks garbage, says so, keeps trying and
# comes back when the relay does; nothing of what it runs is lost meanwhile.
. tests/system/lib/test.sh
[ -n "$(command -v openssl)" ] || skip "openssl is not here"
relay && machine box
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
    -keyout "$T/key.pem" -out "$T/cert.pem" 2> "$T/err"

# `join` speaks as the agent does, and once; `connect` as an operator: every kind of garbage is told
# in one sentence.
script <<'EOS'
import shutil, signins, subprocess
from facts import *
from rude import *

env = dict(os.environ, XDG_STATE_HOME=T + "/nobody/state", XDG_CONFIG_HOME=T + "/nobody/config")
shutil.copytree(T + "/relay/config", T + "/nobody/config")
path = T + "/nobody/config/cmdop"
file = signins.read(path, T + "/relay/state/cmdop")

def sentence(argv, words, start):
    began = time.monotonic()
    r = subprocess.run([CMDOP] + argv, input=words.encode(), capture_output=True, env=env, timeout=30)
    took = time.monotonic() - began
    said = r.stderr.decode("utf-8", "replace")
    holds = (r.returncode == 255 and r.stdout == b"" and said.count("\n") == 1 and said.startswith(start)
             and len(said) > len(start) + 15 and took < 5)
    return holds, r.returncode, took, r.stdout, said

for kind in KINDS:
    rude = Rude(kind)
    string = "cmdop://127.0.0.1:%d/%s#cmdop_enroll_%s" % (rude.port, "A" * 43, "A" * 32)
    fact(kind + ": join fails soon, with one sentence", *sentence(["join", "-"], string, "cmdop: cannot join: "))
    file["servers"][0]["address"] = "127.0.0.1:%d" % rude.port
    signins.write(path, file)
    fact(kind + ": an operator too", *sentence(["connect", "exec", "box", "--", "true"], "", "cmdop: "))
EOS
fact "none of them leaves the record of a relay" test ! -e "$T/nobody/state/cmdop/agent.json"

# The agent itself, and a command that it runs for the local user meanwhile.
spawn box "$T/meanwhile.log" "$CMDOP" connect exec --local box -- \
    sh -c 'echo begun; until [ -e "$HOME/enough" ]; do sleep 0.05; done; echo ended'
MEANWHILE=$SPAWNED
wait_for 5 has "$T/meanwhile.log" begun
end "$RELAY" KILL
script <<'EOS'
from facts import *
from rude import *

log = Log("box.log")
rude = Rude("noise in TLS", int(os.environ["PORT"]))
fact("the agent tries again and again", wait_for(lambda: rude.count >= 3, 15), rude.count)
fact("and tells why it is not connected", log.has("relay.dial.*HTTP/2"), *log.lines())
fact("it lives", alive(os.environ["AGENT"]))
EOS
is "locally it is at work" "$(at box "$CMDOP" connect exec --local box -- echo yes)" yes
relay
fact "when the relay is back the machine comes by itself" wait_for 30 has "$T/relay.log" 'machine.online msg="box"'
is "and takes commands" "$(exec_on box -- echo yes)" yes
touch "$T/box/enough"
wait $MEANWHILE
is "what ran on the machine meanwhile has not noticed" "$? $(tail -n 1 "$T/meanwhile.log")" '0 ended'
finish
