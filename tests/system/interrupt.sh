# ^C on a link of 100 KB/s, while a program writes 2.7 MB/s: what waits on its way is skipped, the gap
# is told and counted to the byte, and the prompt comes. Once the operator's link is the slow one, once
# the machine's. The time is printed; BAR=ms makes it a fact.
. tests/system/lib/test.sh
. tests/system/lib/hosts.sh
router tests/system/interrupt.sh
tc -V > /dev/null 2>&1 || skip "a slow link needs tc"

host 1; DESK=$NS
host 2; HUB=$NS
host 3; FIELD=$NS
relay_in "$HUB" --listen-grpc 10.9.2.2:50051 --address 10.9.2.2:50051
machine_in "$FIELD" box
export DESK FIELD BAR="${BAR:-}"

script <<'EOS'
import subprocess
import sys

from facts import home
from terminal import *

SLOW = "tbf rate 800kbit burst 3000 limit 20000"  # a fifth of a second of queue
FLOOD = os.path.abspath("tests/system/lib/flood.py")
FIRST = 1000000 if os.environ["BAR"] else 300000  # bytes are shown before the key is typed
WORDS = re.compile(r"\r\x1b\[K(\[cmdop: [^]]*~\. to leave\])?")
GAP = re.compile(r"\r\n\[cmdop: (\d+) bytes of output[^]]*\]\r\n")


def link(verb, ns, device):
    subprocess.run(["nsenter", "-t", ns, "-n", "tc", "qdisc", verb, "dev", device, "root"] +
                   (SLOW.split() if verb == "add" else []), check=True)


def both(a, b, done, seconds):
    """Read both terminals until it is done, or time is over; b is never to wait."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        a.read(0.01)
        b.read(0)
    return done()


def shown(t):
    """What was shown after the greeting, without the tool's state."""
    return WORDS.sub("", t.seen.split("; Ctrl-D detaches\r\n", 1)[1])


def follow(part, whole):
    """How far the part follows the whole, over its gaps; and these."""
    at, start, gaps = 0, 0, []
    for m in list(GAP.finditer(part)) + [None]:
        piece = part[start:m.start() if m else None]
        if whole[at:at + len(piece)] != piece:
            break
        at += len(piece)
        if m:
            at, start = at + int(m.group(1)), m.end()
            gaps.append(int(m.group(1)))
    return at, gaps


def case(name, ns, device):
    t = Terminal(["nsenter", "-t", os.environ["DESK"], "-n", CMDOP, "connect", "--new", "box"])
    t.prompt()
    t.type("echo $CMDOP_SESSION\r")
    session = t.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
    # Somebody on the machine itself sees all there is.
    w = Terminal(["nsenter", "-t", os.environ["FIELD"], "-n", CMDOP, "connect", "--local", "--observe", "--session",
                  session], env=home("box"))
    w.expect("detaches\r\n")
    link("add", ns, device)
    t.type("%s -B %s 2700000\r" % (sys.executable, FLOOD))
    both(t, w, lambda: len(t.seen) > FIRST, 60)
    t.unread = w.unread = ""
    t.type("\x03")
    start = time.monotonic()
    prompt = re.compile(r"\nbox[$#] $")
    came = both(t, w, lambda: prompt.search(t.unread[-100:]), 60)
    ms = (time.monotonic() - start) * 1000
    print("%s: prompt after %d ms" % (name, ms))
    fact("%s is slow: after ^C the prompt comes" % name, came)
    fact("%s is slow: who is at the machine has it all" % name,
         both(t, w, lambda: prompt.search(w.unread[-100:]), 30) and not GAP.search(shown(w)), w.unread[-100:])
    link("del", ns, device)
    where, gaps = follow(shown(t), shown(w))
    print("%s: %d bytes of output, skipped %s" % (name, len(shown(w)), gaps))
    fact("%s is slow: a gap is told" % name, gaps)
    fact("%s is slow: it is counted to the byte" % name, where == len(shown(w)), where, len(shown(w)), gaps)
    if os.environ["BAR"]:
        fact("%s is slow: within %s ms" % (name, os.environ["BAR"]), ms <= int(os.environ["BAR"]))
    t.type("echo still he''re\r")
    fact("%s is slow: the shell answers" % name, t.expect("still here"))
    t.type("exit\r")
    fact("%s is slow: and ends" % name, t.wait() is not None, t.status)
    w.wait()


router = str(os.getpid())
case("the operator's link", router, "r1")
case("the machine's link", os.environ["FIELD"], "e3")
EOS
finish
