# A flood of connections that never end their handshake costs the relay a bounded amount, keeps
# nobody else out and passes by itself.
. tests/system/lib/test.sh
ulimit -n 4096 2> /dev/null || skip "too few files may be open here"
relay && machine box

script <<'EOS'
import os, subprocess
from facts import *
from wire import *

port, relay = os.environ["PORT"], os.environ["RELAY"]
files = open_files(relay)
log = Log("relay.log")

def rss():
    with open("/proc/%s/status" % relay) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

def reached():
    start = time.monotonic()
    try:
        r = subprocess.run([CMDOP, "connect", "exec", "box", "--", "echo", "yes"], capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return "time-out"
    return (r.stdout, r.stderr) if r.stdout != b"yes\n" else time.monotonic() - start

before = rss()
flood = []
for i in range(1000):
    s = dial(port, source=("127.0.1.%d" % (1 + i % 8), 0))
    if i % 2:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    flood.append(s)
fact("the relay takes 1,000 half-open connections of eight addresses", wait_for(lambda: open_files(relay) >= files + 1000), open_files(relay))
took = reached()
fact("while they stand a command takes less than two seconds", isinstance(took, float) and took < 2, took)
fact("each costs less than 64 KiB", (rss() - before) / 1000 < 64, before, rss())
fact("after the time for a handshake they are gone", wait_for(lambda: open_files(relay) <= files + 1, 15), open_files(relay))
lines = log.lines()
fact("the log says why, and not a thousand times", log.has("handshake") and len(lines) < 100, len(lines), lines[-1])
for s in flood:
    s.close()
EOS
end "$RELAY"

# As many as the relay has room for.
relay --max-connections 32
wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
script <<'EOS'
import os, subprocess
from facts import *
from wire import *

port, relay = os.environ["PORT"], os.environ["RELAY"]
log = Log("relay.log")
flood = [dial(port, source=("127.0.0.9", 0)) for i in range(100)]
try:
    r = subprocess.run([CMDOP, "connect", "exec", "box", "--", "echo", "yes"], capture_output=True, timeout=5)
    said = r.stdout + r.stderr
except subprocess.TimeoutExpired:
    said = "time-out"
fact("one address that takes all there is keeps others out for less than five seconds", said == b"yes\n", said)
lines = [x for x in log.lines() if "accept" in x]
fact("the log says it, and not a hundred times", 1 <= len(lines) < 20, len(lines), *lines[-3:])
for s in flood:
    s.close()
EOS
fact "when it has passed everything works" wait_for 15 sh -c "test \"\$(env HOME='$T/relay' \
    XDG_CONFIG_HOME='$T/relay/config' XDG_STATE_HOME='$T/relay/state' XDG_RUNTIME_DIR='$T/relay/run' \
    timeout 5 '$CMDOP' connect exec box -- echo yes)\" = yes"
finish
