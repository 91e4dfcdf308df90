# A session goes on when its operator leaves; coming back he finds what happened meanwhile.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
from terminal import *

COUNTER = "i=0; while [ ! -e ~/enough ]; do i=$((i+1)); echo n$i; sleep 0.02; done\r"

def numbers(text):
    return [int(x) for x in re.findall(r"(?m)^\r?n(\d+)\r$", text)]

t = connect("box")
t.prompt()
t.type("echo $CMDOP_SESSION\r")
session = t.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
t.type(COUNTER)
t.expect(r"n10\r\n")
t.type("\x04")
t.wait()
left = numbers(t.seen)[-1]

time.sleep(0.5)  # while nobody is there
t = connect("box", rows=40, cols=90)
fact("connecting again leads into the same session", t.expect("reattached to " + session[:8]))
fact("the counter went on meanwhile", t.expect(r"n%d\r\n" % (left + 20)))
got = numbers(t.seen)
fact("nothing was lost, nothing comes twice", got == list(range(got[0], got[0] + len(got))) and got[0] <= left, got[:5], got[-5:])

u = connect("box", "--observe", "--session", session)
fact("another may watch", u.expect("you watch") and u.expect(r"n\d+\r\n"), u.seen[-200:])
u.type("\x03")  # he may not type
first = numbers(u.seen)[-1]
fact("the watcher's Ctrl-C stops nothing", u.expect(r"n%d\r\n" % (first + 20)))
u.type("\x04")
u.wait()
open(os.path.join(T, "box", "enough"), "w").close()
fact("the shell is back at its prompt", t.prompt())
t.type("stty size\r")
fact("with the size of the terminal that came last", t.expect(r"\r\n40 90\r\n"), t.unread)

t.type("seq 400000; echo re''ady\r")
fact("two megabytes of output arrive", t.expect(r"\r\n400000\r\nready\r\n", 20))
t.type("sleep 0.5; seq 400000; echo re''ady\r")
t.type("\x04")
t.wait()
time.sleep(1.5)
t = connect("box")
fact("after more than the ring holds the newest is there", t.expect(r"\r\n400000\r\nready\r\n", 20))
lines = re.findall(r"(?m)^(\d+)\r$", t.seen)
fact("about one megabyte of it", 900_000 < len(t.seen) < 1_200_000, len(t.seen))

n = connect("box", "--new")
n.prompt()
n.type("echo $CMDOP_SESSION\r")
fact("--new is another session", n.expect(r"\r\n([0-9a-f]{32})\r\n").group(1) != session)
n.type("\x04")
n.wait()
o = connect("box", "--session", session)
fact("a session can be named", o.expect("reattached to " + session[:8]))
o.type("\x04")
o.wait()
o = connect("box", "--session", "0" * 32)
status = o.wait()
fact("one that does not exist is refused", status == 255 and "no such session" in o.seen, status, o.seen)
EOS
is "status counts the sessions" "$(at box "$CMDOP" agent status --json > "$T/out"; json "$T/out" 'd["sessions"]')" 2
end "$AGENT"
is "the agent ends in good order and ends its sessions" "$STATUS" 0
finish
