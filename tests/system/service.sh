# What a service manager does to an agent, in a control group as systemd makes one for a unit. Stop,
# restart and a crash with KillMode=process end one process: sessions go on. Where everything in the
# group is killed, sessions end too, and that is told.
. tests/system/lib/test.sh

units=port/linux/service
for unit in "$units"/*/cmdop-agent.service; do
    kind=$(basename "$(dirname "$unit")")
    says "the $kind unit: only the agent is ended" "$unit" '^KillMode=process$'
    says "and it always comes back" "$unit" '^Restart=always$'
    if [ -z "$(command -v systemd-analyze)" ]; then
        pass_over "systemd-analyze is not here"
        continue
    fi
    mkdir -p "$T/units/$kind" "$T/units/run"
    sed "s,^ExecStart=[^ ]*,ExecStart=$CMDOP," "$unit" > "$T/units/$kind/cmdop-agent.service"
    fact "systemd finds nothing wrong with it" env XDG_RUNTIME_DIR="$T/units/run" \
        systemd-analyze "--$kind" --man=no verify "$T/units/$kind/cmdop-agent.service"
    is "and has no remark" "$(cat "$T/fact")" ""
done

[ "$(id -u)" = 0 ] || { pass_over "control groups need root"; finish; }
group() { # MOUNT LINE-OF-/proc/self/cgroup: a group below our own, in GROUP
    [ -n "$1" ] && GROUP=$1/$(sed -n "s,^$2:/*,,p" /proc/self/cgroup)/cmdop-test-$$ &&
        mkdir "$GROUP" 2>> "$T/waits" || return 1
    sh -c 'echo $$ > "$0/cgroup.procs"' "$GROUP" 2>> "$T/waits" || { rmdir "$GROUP"; return 1; }
}
mounted() { awk -v type="$1" -v with="$2" '$3 == type && $4 ~ with { print $2; exit }' /proc/mounts; }
# With version 1 systemd has a hierarchy of that name, for no other use.
group "$(mounted cgroup2 .)" 0: || group "$(mounted cgroup name=systemd)" '[0-9]*:name=systemd' ||
    { GROUP= ; pass_over "no control group can be made here"; finish; }
export GROUP

relay
join box > "$T/box.join"
script <<'EOS'
import socket
import subprocess

from facts import alive
from terminal import *

GROUP = os.environ["GROUP"]
BOX = os.path.join(T, "box")
ENV = dict(os.environ, HOME=BOX, XDG_CONFIG_HOME=BOX + "/config", XDG_STATE_HOME=BOX + "/state",
           XDG_RUNTIME_DIR=BOX + "/run", INPUTRC=BOX + "/.inputrc")
COUNTER = "i=0; while [ ! -e ~/enough ]; do i=$((i+1)); echo n$i; sleep 0.02; done\r"


def members():
    with open(GROUP + "/cgroup.procs") as f:
        return [int(line) for line in f]


def environment(pid):
    with open("/proc/%d/environ" % pid, "rb") as f:
        return f.read().split(b"\0")


def enter():
    with open(GROUP + "/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))


class Manager:
    """Starts the agent in the group and waits for its word, as for Type=notify."""

    def __init__(self):
        self.path = os.path.join(T, "notify")
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(self.path)
        self.ear.settimeout(10)

    def start(self):
        with open(os.path.join(T, "box.log"), "ab") as log:
            self.agent = subprocess.Popen([CMDOP, "agent", "start", "--foreground"], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, preexec_fn=enter, env=dict(ENV, NOTIFY_SOCKET=self.path))
        with open(os.path.join(T, "pids"), "a") as f:
            f.write("%d\n" % self.agent.pid)
        try:
            return self.ear.recv(64)
        except TimeoutError:
            return None

    def stop(self, number):
        """As with KillMode=process: the main process alone. What is left then."""
        self.agent.send_signal(number)
        self.agent.wait(10)
        return members()

    def kill_all(self):
        """As with KillMode=control-group, without the politeness before."""
        if os.path.exists(GROUP + "/cgroup.kill"):
            with open(GROUP + "/cgroup.kill", "w") as f:
                f.write("1")
        else:
            while [os.kill(pid, signal.SIGKILL) for pid in members() if alive(pid)]:
                time.sleep(0.01)
        self.agent.wait(10)


def numbers(text):
    text = re.sub(r"\r\x1b\[K(\[cmdop: [^\]]*\])?", "", text)  # what the tool says while it waits
    return [int(x) for x in re.findall(r"(?m)^\r?n(\d+)\r$", text)]


manager = Manager()
fact("the agent tells its manager that it works", manager.start() == b"READY=1")
wait_for(lambda: "event=relay.online" in open(os.path.join(T, "box.log")).read())
t = connect("box")
t.prompt()
t.type("echo $CMDOP_SESSION $$\r")
session, shell = t.expect(r"\r\n([0-9a-f]{32}) (\d+)\r\n").groups()
shell = int(shell)
with open("/proc/%d/stat" % shell) as f:
    keeper = int(f.read().rsplit(")", 1)[1].split()[1])
fact("keeper and shell are in the unit's group", {keeper, shell} <= set(members()), keeper, shell, members())
named = [pid for pid in (keeper, shell) if any(v.startswith(b"NOTIFY_SOCKET=") for v in environment(pid))]
fact("neither could speak to the manager", not named, named)

t.type(COUNTER)
t.expect(r"n20\r\n")
for name, number in ("a stop", signal.SIGTERM), ("a crash", signal.SIGKILL):
    left = manager.stop(number)
    fact("%s leaves keeper and shell alone" % name, {keeper, shell} <= set(left) and manager.agent.pid not in left, left)
    last = numbers(t.seen)[-1]
    time.sleep(0.3)  # the counter counts on, and nobody reads
    fact("the next agent works", manager.start() == b"READY=1")
    fact("the session goes on", t.expect(r"n%d\r\n" % (last + 50), 20))
open(os.path.join(BOX, "enough"), "w").close()
fact("the shell is back at its prompt", t.prompt())
got = numbers(t.seen)
fact("no line is missing, none comes twice", got == list(range(1, len(got) + 1)), got)
t.type("echo $$\r")
fact("it is the same shell", t.expect(r"\r\n%d\r\n" % shell))

manager.kill_all()
fact("where everything in the group is killed, the session ends too",
     wait_for(lambda: not alive(keeper) and not alive(shell)), members())
fact("the next agent works", manager.start() == b"READY=1")
status = t.wait(20)
fact("its operator is told", status not in (None, 0) and "no such session" in t.seen, status, t.seen[-300:])
fact("nothing of it is left over", wait_for(lambda: not os.listdir(BOX + "/state/cmdop/sessions")))
n = connect("box")
fact("and there are new sessions", n.prompt())
n.type("exit\r")
n.wait()
manager.stop(signal.SIGTERM)
fact("with the agent's end nobody is left", wait_for(lambda: not members()), members())
EOS
finish
