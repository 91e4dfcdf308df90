# Packets vanish for a while, between the operator and the relay and between the machine and the
# relay. The key that was typed meanwhile is echoed soon after they pass again, long before TCP
# would have sent it again. Each of the three is a host of its own, behind one router.
. tests/system/lib/test.sh
. tests/system/lib/hosts.sh
router tests/system/dead_path.sh

host 1; DESK=$NS
host 2; HUB=$NS
host 3; FIELD=$NS
relay_in "$HUB" --listen-grpc 10.9.2.2:50051 --address 10.9.2.2:50051
machine_in "$FIELD" box
export DESK

script <<'EOS'
import subprocess

from terminal import *


def path(verb, host):
    for way in "from", "to":
        subprocess.run(["ip", "rule", verb, way, "10.9.%d.2" % host, "blackhole"], check=True)


t = Terminal(["nsenter", "-t", os.environ["DESK"], "-n", CMDOP, "connect", "box"])
t.prompt()
t.type("stty raw; cat\r")
t.expect(r"cat\r\n")
t.type("ready")
t.expect("ready")
for name, host, seconds in ("the operator", 1, 3), ("the machine", 3, 3), ("the operator", 1, 10), ("the machine", 3, 10):
    time.sleep(2)
    path("add", host)
    t.read(0.5)
    t.type("@")
    fact("%s is cut off: a line says so" % name, t.expect("no answer for", 10))
    time.sleep(seconds - 2)
    path("del", host)
    start = time.monotonic()
    echo = t.expect("@", 20)
    ms = (time.monotonic() - start) * 1000
    fact("%s is back after %d s: the key is echoed at once" % (name, seconds), echo and ms < 2000, ms)
    print("%s, %d s: echo after %d ms" % (name, seconds, ms))
t.type("\r~.")
fact("~. leaves", t.wait() == 0, t.status)
EOS
finish
