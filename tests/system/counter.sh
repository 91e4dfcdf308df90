# A session counts, fifty numbers in a second, and no operator ever misses one: whoever is killed,
# replaced, cut off or moved meanwhile. CUT is how long the network is away, AWAY how long operator,
# agent and relay are, in seconds.
. tests/system/lib/test.sh
. tests/system/lib/hosts.sh
router tests/system/counter.sh

# Everybody here finds the relay by its name.
cp /etc/hosts "$T/hosts" && echo "10.9.2.2 relay.test" >> "$T/hosts"
mount --bind "$T/hosts" /etc/hosts 2> /dev/null || skip "/etc/hosts cannot be another here"
host 1; DESK=$NS
host 2; HUB=$NS
host 3; FIELD=$NS
host 4; ELSEWHERE=$NS
relay_in "$HUB" --listen-grpc 0.0.0.0:50051 --address relay.test:50051
machine_in "$FIELD" box

# The operator is not at home where the relay is; and the agent's program is one to be replaced.
place desk
mkdir -p "$T/desk/config/cmdop" "$T/bin"
"$PY" - "$T/desk/config/cmdop" "$(signins relay)" <<'END'
import json, sys
sys.path.insert(0, "tests/system/lib")
sys.dont_write_bytecode = True
import signins
signins.write(sys.argv[1], json.loads(sys.argv[2].replace("localhost:50051", "relay.test:50051")))
END
chmod 700 "$T/desk/config/cmdop"
cp "$CMDOP" "$T/bin/cmdop"
export DESK HUB FIELD ELSEWHERE RELAY AGENT CUT="${CUT:-6}" AWAY="${AWAY:-1}"

script <<'EOS'
import subprocess

from facts import alive, home
from terminal import *

WORDS = re.compile(r"\r\x1b\[K(\[cmdop: [^]]*~\. to leave\])?")
BACK = 100          # seconds until all is well again, at most
PROGRAM = os.path.join(T, "bin", "cmdop")
cut, away = float(os.environ["CUT"]), float(os.environ["AWAY"])


def inside(host, *argv):
    return ["nsenter", "-t", os.environ[host], "-n"] + list(argv)


def run_in(host, *argv, **how):
    return subprocess.run(inside(host, *argv), check=True, **how)


def remember(pid):
    with open(os.path.join(T, "pids"), "a") as f:
        f.write("%d\n" % pid)


# ---- who sees the numbers ----------------------------------------------------------------


class Operator:
    """One tool after the other on the session; each is to see all of the numbers."""

    def __init__(self, *args):
        self.begin(*args)

    def begin(self, *args):
        self.tool = Terminal(inside("DESK", CMDOP, "connect", *args, "box"), env=home("desk"))

    def numbers(self):
        text = WORDS.sub("", self.tool.seen)
        return [int(n) for n in re.findall(r"(?m)^n(\d+)\r$", text)]

    def last(self):
        self.tool.read(0)
        numbers = re.findall(r"n(\d+)\r\n", self.tool.seen[-4000:])
        return int(numbers[-1]) if numbers else 0

    def missed(self):
        got = self.numbers()
        return [(a, b) for a, b in zip([0] + got, got) if b != a + 1]

    def sees_beyond(self, number, seconds=BACK):
        return wait_for(lambda: self.last() > number, seconds)

    def works(self, seconds):
        """Somebody sits there: a key now and then, which the program does not read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.tool.type(" ")
            self.tool.read(min(1, max(0, end - time.monotonic())))

    def kill(self):
        os.kill(self.tool.pid, signal.SIGKILL)
        self.tool.wait()


def event(name, happen):
    """It happens; the numbers go on at the operator, and none is missing. `happen` may give what
    is to be mended, and then counts from there."""
    mend = happen()
    if mend:
        mend()
    since, start = who.last(), time.monotonic()
    goes_on = who.sees_beyond(since + 5)
    print("%s: the next numbers after %.1f s" % (name, time.monotonic() - start))
    fact("%s: the count goes on" % name, goes_on and who.sees_beyond(who.last() + 50), who.tool.seen[-300:])
    fact("%s: no number is missed, none comes twice" % name, not who.missed(), who.missed()[:5])


# ---- what happens ------------------------------------------------------------------------


def operator_killed():
    who.kill()
    gaps = who.missed()
    time.sleep(away)
    who.begin("--session", session)
    fact("until then the operator missed none either", not gaps, gaps[:5])


def start_agent(verb):
    r = run_in("FIELD", PROGRAM, "agent", verb, env=home("box"), capture_output=True, text=True)
    pid = int(re.search(r"agent started, pid (\d+)", r.stdout).group(1))
    remember(pid)
    return pid


def agent_killed():
    global agent
    os.kill(agent, signal.SIGKILL)
    wait_for(lambda: not alive(agent))
    who.works(away)
    agent = start_agent("start")


def version():
    r = run_in("FIELD", PROGRAM, "agent", "status", "--json", env=home("box"), capture_output=True, text=True)
    return re.search(r'"version": *"([^"]*)"', r.stdout).group(1)


def program_replaced():
    """By another version, under the same name; first the old agent goes on without its file."""
    global agent
    before = version()
    other = "".join("9" if c.isdigit() else c for c in before)
    with open(PROGRAM, "rb") as f:
        code = f.read().replace(before.encode() + b"\0", other.encode() + b"\0")
    with open(PROGRAM + ".new", "wb") as f:
        f.write(code)
    os.chmod(PROGRAM + ".new", 0o755)
    os.rename(PROGRAM + ".new", PROGRAM)
    t = Terminal(inside("DESK", CMDOP, "connect", "--new", "box"), env=home("desk"))
    fact("an agent whose file was replaced still begins sessions", t.prompt(), t.seen)
    t.type("exit\r")
    t.wait()
    agent = start_agent("restart")
    fact("then another version of the agent runs", wait_for(lambda: version() == other), version(), other)


def start_relay(host):
    with open(os.path.join(T, "relay.log"), "ab") as log:
        p = subprocess.Popen(inside(host, CMDOP, "server", "--listen-grpc", "0.0.0.0:50051", "--listen-api",
                                    "127.0.0.1:0", "--address", "relay.test:50051"), env=home("relay"),
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    remember(p.pid)
    return p.pid


def kill_relay():
    os.kill(relay, signal.SIGKILL)
    who.works(1)


def relay_killed():
    global relay
    kill_relay()
    who.works(away)
    relay = start_relay("HUB")


def network_cut():
    subprocess.run(["ip", "link", "set", "r3", "down"], check=True)
    who.works(cut)
    subprocess.run(["ip", "link", "set", "r3", "up"], check=True)


def address_changed():
    run_in("FIELD", "sh", "-c", "ip addr del 10.9.3.2/24 dev e3; ip addr add 10.9.3.7/24 dev e3; "
           "ip route replace default via 10.9.3.1")
    who.works(1)


def relay_moved():
    """Its old host is gone altogether: nothing there says no."""
    global relay
    subprocess.run(["ip", "link", "set", "r2", "down"], check=True)
    kill_relay()
    with open("/etc/hosts") as f:
        hosts = f.read()
    with open("/etc/hosts", "w") as f:
        f.write(hosts.replace("10.9.2.2", "10.9.4.2"))
    relay = start_relay("ELSEWHERE")


agent, relay = int(os.environ["AGENT"]), int(os.environ["RELAY"])
who = Operator("--new")
who.tool.prompt()
who.tool.type("echo $CMDOP_SESSION\r")
session = who.tool.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
who.tool.type("stty -echo; i=0; while sleep 0.02; do i=$((i+1)); echo n$i; done\r")
fact("a session counts", who.sees_beyond(50))
stays = Operator("--observe", "--session", session)

event("operator killed", operator_killed)
event("agent killed", agent_killed)
event("agent's program replaced", program_replaced)
event("relay killed", relay_killed)
event("network cut for %g s" % cut, network_cut)
event("machine's address changed", address_changed)
event("relay moved to another address", relay_moved)

end = who.last()
fact("whoever only watched saw all of it", stays.sees_beyond(end) and not stays.missed(), stays.last(), end,
     stays.missed()[:5])
fact("and who stayed for the last six events as well", not who.missed() and who.numbers()[0] == 1)
print("%d numbers" % who.last())


def at_prompt():
    """A shell that just waited for the last `sleep` may pass an interrupt over."""
    who.tool.type("\x03")
    who.tool.read(0.5)
    return re.search(r"box[$#] $", who.tool.unread[-40:])


wait_for(at_prompt, 30)
who.tool.type("exit\r")
fact("the shell ends", who.tool.wait() is not None)
stays.tool.wait()
EOS
finish
