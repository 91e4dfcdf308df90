# Garbage on the agent's local socket ends that connection only; the agent lives, and serves the
# next, also after all its places were taken by silence.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
import os, subprocess
from facts import *
from wire import *

agent = os.environ["AGENT"]
path = os.path.join(T, "box/run/cmdop/agent.sock")
env = dict(os.environ, XDG_RUNTIME_DIR=T + "/box/run", XDG_STATE_HOME=T + "/box/state", XDG_CONFIG_HOME=T + "/box/config")

def dial_local():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(path)
    return s

def reached(seconds=5):
    try:
        r = subprocess.run([CMDOP, "connect", "exec", "--local", "box", "--", "echo", "yes"], capture_output=True,
                           timeout=seconds, env=env)
        return (r.stdout + r.stderr).decode()
    except subprocess.TimeoutExpired:
        return "time-out"

# After some commands: the keepers of the last ones are still held.
for i in range(5):
    reached()
files = max(open_files(agent) for i in range(20) if not time.sleep(0.05))

for name, words in (
        ("HTTP/1", b"GET / HTTP/1.1\r\n\r\n"),
        ("64 KiB of noise", os.urandom(65536)),
        ("noise after the preface", PREFACE + frame(SETTINGS) + os.urandom(65536)),
        ("a gRPC message of 4 GiB", start() + frame(DATA, message(b"", 0xFFFFFFFF) + b"x" * 1000, stream=1)),
        ("a message that is no Frame", start() + frame(DATA, message(b"\xff" * 50), stream=1)),
        ("Data before Hello", start() + frame(DATA, message(bytes.fromhex("9a01020801")), stream=1)),
        ("headers without end", PREFACE + frame(SETTINGS) + frame(HEADERS, header("a", "b"), 0, 1)
         + frame(CONTINUATION, header("x", "y" * 100) * 100, 0, 1) * 1000)):
    s = dial_local()
    try:
        s.sendall(words)
        got = rest(s)
    except OSError as e:
        got = str(e)
    fact(name + ": let go, and the next is served", got is not None and alive(agent) and reached() == "yes\n", got)
    s.close()
fact("no connection stays behind", wait_for(lambda: open_files(agent) <= files), files, open_files(agent))

silent = [dial_local() for i in range(60)]
fact("silence in all places takes no more than these", open_files(agent) <= files + 40 and alive(agent), open_files(agent))
for s in silent:
    s.close()
fact("when it goes the next is served", reached() == "yes\n")
EOS
is "the machine is still online" "$(exec_on box -- echo yes)" yes
finish
