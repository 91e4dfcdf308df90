# However an operator leaves `cmdop connect`, his terminal is as it was before.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
from terminal import *

def attached(*args):
    t = connect("box", *args)
    t.prompt()
    return t

def left(name, t, status):
    got = t.wait()
    fact(name + ": the terminal is as it was", t.restored(), t.before, t.modes())
    fact(name + ": exit status %d" % status, got == status, got, t.seen[-300:])

t = attached("--new")
fact("attached, the terminal is raw", wait_for(t.raw))
t.type("\x04")
left("Ctrl-D", t, 0)
fact("Ctrl-D: it is told that the session goes on", "[detached; the session goes on]" in t.seen, t.seen[-200:])
fact("modes that a program may have left on are switched off",
     all(x in t.seen for x in ("\x1b[?1049l", "\x1b[?1000l", "\x1b[?2004l", "\x1b[?25h")), t.seen[-200:])

t = attached("--new")
t.type("\r")
t.prompt()
t.type("~.")
left("~.", t, 0)

t = attached("--new")
t.type("exit 5\r")
left("the shell's end", t, 5)

t = attached("--new")
t.type("kill -KILL $$\r")
left("the shell's death", t, 137)

for name in "TERM", "HUP", "INT", "QUIT":
    t = attached("--new")
    t.signal(getattr(signal, "SIG" + name))
    t.wait()
    fact("SIG" + name + ": the terminal is as it was", t.restored(), t.before, t.modes())

t = attached("--new")
t.type("\x1b")  # nothing that is typed is an answer of ours
t.signal(signal.SIGSTOP)
t.signal(signal.SIGCONT)
fact("stopped and continued it is raw again", wait_for(t.raw))
t.type("\x04")
left("Ctrl-D after that", t, 0)

t = connect("nobody")
left("a machine that does not exist", t, 255)
fact("is told in a sentence", "no machine of the fleet" in t.seen, t.seen)

t = attached("--new")
os.kill(int(os.environ["AGENT"]), signal.SIGKILL)
fact("a machine that goes away: a line says so", t.expect(r"connection lost \d+ s.*~\. to leave"))
t.type("\r~.")
left("~. while the machine is away", t, 0)
EOS

agent box
script <<'EOS'
from terminal import *
t = connect("box", "--new")
t.prompt()
os.kill(int(os.environ["RELAY"]), signal.SIGKILL)
fact("a relay that is killed: a line says so", t.expect(r"connection lost \d+ s.*~\. to leave"))
fact("and counts", t.expect(r"connection lost [1-9]\d* s"))
t.type("\r~.")
status = t.wait()
fact("~. while the relay is away: exit status 0", status == 0, status)
fact("~. while the relay is away: the terminal is as it was", t.restored(), t.before, t.modes())
t = connect("box")
status = t.wait()
fact("no relay at all: one sentence, 255", status == 255 and "nothing listens" in t.seen, status, t.seen)
fact("no relay at all: the terminal is as it was", t.restored())
EOS
finish
