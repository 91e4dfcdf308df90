# While a relay is away the session goes on; when it is back the operator sees everything, once and
# in order, without doing anything.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
from facts import start_relay
from terminal import *

def numbers(text):
    text = re.sub(r"\r\x1b\[K(\[cmdop: [^]]*\])?", "", text)  # the state line, and its end
    return [int(x) for x in re.findall(r"n(\d+)\r\n", text)]

relay = int(os.environ["RELAY"])
t = connect("box")
t.prompt()
t.type("i=0; while [ $i -lt 1200 ]; do i=$((i+1)); echo n$i; sleep 0.002; done; echo e''nd\r")
t.expect(r"n100\r\n")
for turn in 1, 2:
    os.kill(relay, signal.SIGKILL)
    fact("relay killed, time %d: a line says so" % turn, t.expect(r"connection lost \d+ s, trying again; ~\. to leave"))
    t.type("# typed while away, %d\r" % turn)
    relay = start_relay()
    fact("relay back, time %d: what was typed meanwhile arrives" % turn, t.expect(r"# typed while away, %d" % turn, 20))
    fact("relay back, time %d: the output goes on by itself" % turn, t.expect(r"n\d+\r\nn\d+\r\n"))
fact("to its end", t.expect(r"end\r\n", 40))
got = numbers(t.seen)
fact("no line is lost and none comes twice", got == list(range(1, 1201)), len(got),
     [(a, b) for a, b in zip(got, got[1:]) if b != a + 1][:5])
t.prompt()
fact("the terminal stays raw throughout", t.raw())
t.type("echo still he''re\r")
fact("and the shell answers", t.expect("still here"))
t.type("\x04")
fact("Ctrl-D leaves", t.wait() == 0 and t.restored(), t.status)
EOS
finish
