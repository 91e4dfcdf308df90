# Somebody types while connections are reset and stalled and the relay is killed: what the program
# on the machine reads is what was typed, once and in order.
. tests/system/lib/test.sh

spawn relay "$T/proxy.log" "$PY" tests/system/lib/proxy.py "$T/target"
PROXY=$SPAWNED
wait_for 5 has "$T/proxy.log" '^port '
FRONT=$(sed -n 's/^port //p' "$T/proxy.log")
PORT=$("$PY" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
echo "$PORT" > "$T/target"
relay --address "127.0.0.1:$FRONT"
PORT=$(cat "$T/target") # the relay says the other one
machine box
export PROXY FRONT SEED="${SEED:-$$}"

script <<'EOS'
import hashlib
import random

from facts import start_relay
from terminal import *

BYTES = 6000
seed = int(os.environ["SEED"])
proxy, relay = int(os.environ["PROXY"]), int(os.environ["RELAY"])
got = os.path.join(T, "box", "got")
rand = random.Random(seed)
print("seed", seed)


t = connect("box")
t.prompt()
t.type("stty raw -echo; printf REA''DY; head -c %d > ~/got; stty sane; echo do''ne\r" % BYTES)
fact("a program reads what is typed", t.expect("READY"))

# Numbers, so that a remark can tell where it went wrong.
text = "".join("%d," % n for n in range(BYTES))[:BYTES]


def reset():
    os.kill(proxy, signal.SIGUSR1)


def stall():
    os.kill(proxy, signal.SIGUSR2)
    type_some()
    t.read(rand.random() * 3)
    os.kill(proxy, signal.SIGUSR2)


def kill():
    global relay
    os.kill(relay, signal.SIGKILL)
    type_some()
    relay = start_relay()


def type_some():
    global text
    for _ in range(rand.randrange(1, 12)):
        n = rand.randrange(1, 40)
        t.type(text[:n])
        text = text[n:]
        t.read(rand.random() * 0.02)


whole = text
for event in [reset, stall, kill, reset] + rand.choices([reset, reset, stall, kill], k=8):
    type_some()
    event()
    type_some()
    t.read(rand.random())
t.type(text)
fact("it gets all of it", t.expect("done", 40), t.unread[-300:])
data = open(got).read()
at = next((i for i, (a, b) in enumerate(zip(data, whole)) if a != b), len(data))
fact("once and in order, seed %d" % seed, hashlib.sha256(data.encode()).digest() ==
     hashlib.sha256(whole.encode()).digest(), "differs at %d" % at, data[at:at + 60], whole[at:at + 60])
fact("and nobody had to be told of a loss", "may be lost" not in t.seen, re.findall(r"cmdop: [^\r\n]*", t.seen)[-5:])

os.kill(proxy, signal.SIGUSR2)
t.type("echo stuck\r")
fact("on a path that says nothing a line says so", t.expect(r"no answer for \d+ s; ~\. to leave|connection lost"))
t.type("\r~.")
fact("and ~. leaves", t.wait() == 0 and t.restored(), t.status)
os.kill(proxy, signal.SIGUSR2)
EOS
finish
