# What is typed reaches the shell as typed, what is ours stays here; the size follows the window.
. tests/system/lib/test.sh
relay && machine box

script <<'EOS'
import hashlib
from terminal import *

t = connect("box", rows=30, cols=100)
t.prompt()
def answer(command):
    t.unread = ""
    t.type(command + "\r")
    m = t.expect(re.escape(command) + r"\r\n((?:.|\n)*?)\r\nbox[$#] ")
    return m.group(1) if m else None

fact("the first size is the terminal's", answer("stty size") == "30 100", t.unread)
t.resize(50, 132)
fact("a new size arrives", wait_for(lambda: answer("stty size") == "50 132"))
for i in range(50):
    t.resize(24 + i % 7, 80 + i)
fact("of many the last one counts", wait_for(lambda: answer("stty size") == "24 129"), answer("stty size"))
fact("the terminal's type is the operator's", answer("echo $TERM") == "xterm")
fact("the environment says who and where",
     answer("echo $CMDOP_MACHINE:$CMDOP_OPERATOR:${#CMDOP_SESSION}") == "box:" + os.popen("id -un").read().strip() + ":32")

t.type("sleep 61\r")
fact("a program is in the foreground", wait_for(lambda: os.system("pgrep -f '^sleep 61$' > /dev/null") == 0))
t.type("\x03")
fact("Ctrl-C reaches it", t.expect(r"\^C\r\nbox[$#] ") and os.system("pgrep -f '^sleep 61$' > /dev/null") != 0)
fact("and the status is that of SIGINT", answer("echo $?") == "130")
t.type("sh -c 'echo here; exec cat'\r")
t.expect(r"\r\nhere\r\n")  # the shell has given the terminal away by now
t.type("one\x16\x03two\r")
fact("Ctrl-V Ctrl-C is a character", t.expect("one\x03two"))
t.type("\x1c")
fact("Ctrl-\\ reaches it", t.expect(r"Quit.*\r\nbox[$#] "))

t.type("\r")
t.prompt()
t.type("~~\r")
fact("~~ sends one tilde", t.expect(r"(?<!~)~\r\n"), t.unread)
t.type("\r\r")
t.expect(r"box[$#] \r\nbox[$#] $")
t.type("~?")
fact("~? helps", t.expect(r"~\. +detach"))
t.type("echo a~.b\r")
fact("a tilde in the middle of a line is just one", t.expect(r"\r\na~\.b\r\n"))
t.type("~x\r")
fact("a tilde and something else are both sent", t.expect(r"~x"))
t.type("printf '%s' ä€😀 | wc -c\r")
fact("bytes of more than 7 bits pass", t.expect(r"\r\n9\r\n"), t.unread)

# A long paste: nothing is lost, nothing comes twice.
text = "".join("%05d %s\n" % (i, "x" * 50) for i in range(4000))
t.type("stty -echo; echo re''ady; head -n 4000 | sha256sum; stty echo\r")
t.expect("ready\r\n")
t.type(text.replace("\n", "\r"))
fact("a paste of 220 KiB arrives whole", t.expect(hashlib.sha256(text.encode()).hexdigest()))
EOS
finish
