# Packets vanish for a while, between the operator and the relay and between the machine and the
# relay. The key that was typed meanwhile is echoed soon after they pass again, long before TCP
# would have sent it again. Each of the three is a host of its own, behind one router.
. tests/system/lib/test.sh

[ "$(id -u)" = 0 ] || skip "network name spaces need root"
if [ -z "${ROUTER:-}" ]; then
    unshare -n true 2> /dev/null || skip "no network name spaces here"
    rm -rf "$T" # the inner run has its own
    trap - EXIT
    ROUTER=yes exec unshare -n sh tests/system/dead_path.sh
fi

ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward || skip "the router cannot forward"
host() { # NUMBER: a name space behind the router, 10.9.NUMBER.2; its process in NS
    spawn relay "$T/ns.log" unshare -n sleep 300
    NS=$SPAWNED
    wait_for 5 apart "$NS"
    ip link add name "r$1" type veth peer name "e$1" && ip link set "e$1" netns "$NS" || skip "no veth here"
    ip addr add "10.9.$1.1/24" dev "r$1" && ip link set "r$1" up
    nsenter -t "$NS" -n sh -c "ip link set lo up; ip addr add 10.9.$1.2/24 dev e$1; ip link set e$1 up;
        ip route add default via 10.9.$1.1"
}
apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

host 1; DESK=$NS
host 2; HUB=$NS
host 3; FIELD=$NS
spawn relay "$T/relay.log" nsenter -t "$HUB" -n "$CMDOP" server --listen-grpc 10.9.2.2:50051 \
    --listen-api 127.0.0.1:0 --address 10.9.2.2:50051
wait_for 10 has "$T/relay.log" '^  next '
key=$(join_key)
at box nsenter -t "$FIELD" -n "$CMDOP" join "$key" --name box > "$T/box.join"
spawn box "$T/box.log" nsenter -t "$FIELD" -n "$CMDOP" agent start --foreground
wait_for 10 has "$T/box.log" 'event=relay.online'
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
