# The verbs of `cmdop session`, as somebody uses them who has not read how they are made.
. tests/system/lib/test.sh
relay && machine box

session() { at relay "$CMDOP" session "$@"; }
# What the list says of a session, "none" if it is not there: NAME EXPRESSION over `s`
seen() {
    session list --json > "$T/list.json" &&
        json "$T/list.json" "next(($2 for s in d['sessions'] if s['name'] == '$1'), 'none')"
}
is_seen() { test "$(seen "$1" "$2")" = "$3"; }
kill_agent() { end "$AGENT" KILL; agent box; }

run connect box --observe < /dev/null
refused "where there is nothing to watch, nothing is started" 255 'no session .* watched; connect without --observe'
is "so it is" "$(session list --json)" '{"sessions":[]}'

# ---- create, list -----------------------------------------------------------------------

run session create --name one box
is "create prints what it is called" "$STATUS $(grep -Ec '^box:[0-9a-f]{32}$' "$T/out")" '0 1'
ONE=$(sed 's/^box://' "$T/out")
run session create --name one box
refused "no two have one name" 255 'has this name already; choose another'
run session create --name 'sp ace' box -- sleep 500
is "a name may have spaces" "$STATUS" 0
run session create box -- no-such-program
refused "a program that is not there" 127 'no such program'
for name in ' ' "$(printf 'ä%.0s' $(seq 32))"; do
    run session create --name "$name" box
    is "a name of ${#name} bytes that is none" "$STATUS $(grep -c 'a name has 1 to 63 bytes' "$T/err")" '2 1'
done
for idle in 0 -1 x; do
    run session create --idle $idle box
    is "$idle is no time to be unused" "$STATUS" 2
done
run session create --idle 18446744073709551615ms --name patient box
is "the longest time is one" "$STATUS $(seen patient 's["status"]')" '0 live'
run session list bo --json
fact "the list says which machine, whatever it was called" json_is "$T/out" 'len(d["sessions"]) == 3 and all(
    s["machine"] == "box" and s["machine_id"] == "'"$(machine_id box)"'" for s in d["sessions"])'
run at box "$CMDOP" session list --local --json
fact "so on the machine itself" json_is "$T/out" 'all(s["machine"] == "box" for s in d["sessions"])'
run session --help
for verb in create list attach detach destroy save restore; do
    says "the help knows $verb" "$T/out" "cmdop session $verb "
done

# ---- what it is called --------------------------------------------------------------------

for ref in one box:one "$ONE" "$(echo "$ONE" | cut -c1-6)" 'sp ace'; do
    run session detach "$ref"
    is "it is found as ${#ref} characters" "$STATUS" 0
done
for ref in no-such '' : box: "$(echo "$ONE" | cut -c1-3)"; do
    run session attach "$ref" < /dev/null
    refused "nothing is called '$ref'" 1 'nothing .*; .cmdop session list. shows what is there'
done

# ---- its end is told once, and to nobody who only passes ------------------------------------

for n in 1 2 3 4 5 6 7 8; do session create --name end-$n box -- sh -c "echo out-$n; exit 3" > "$T/out"; done
ended() { session list --json > "$T/list.json" && json_is "$T/list.json" \
    'sum(s["name"].startswith("end-") and s["status"] == "ended" for s in d["sessions"]) == 8'; }
fact "however fast it ends, whoever created it was not told" wait_for 10 ended
run session save end-1 --to "$T/end.cast"
is "what has ended is saved by its name" "$STATUS" 0
run session restore --from "$T/end.cast"
is "with what it said last" "$(tr -d '\r' < "$T/out")" out-1
run session attach end-1 < /dev/null
is "then somebody hears how it ended" "$STATUS $(tr -d '\r' < "$T/out")" '3 out-1'
is "once" "$(seen end-1 's["status"]')" none
session create --name end-2 box -- sleep 500 > "$T/out"
run session destroy end-2
is "a name means the live one first" "$STATUS $(seen end-2 's["status"]')" '0 ended'

# ---- unused for how long, over a new agent ---------------------------------------------------

idle() { test "$(seen one 's["idle_seconds"]')" -ge 2; }
fact "nobody uses it" wait_for 10 idle
kill_agent
fact "which a new agent knows" idle
run session destroy --idle 2s --host box
fact "so it may be cleared away" grep -q "^box:$ONE\$" "$T/out"
is "and is gone" "$(seen one 's["status"]')" none

# ---- save, restore --------------------------------------------------------------------------

session create --name talk box -- sh -c 'printf "a\377b\303\251\033[31mred\033[m\r\n"; printf "\033[6n\033]52;c;?\a"
    seq 300; printf "\033]0;title\aend\n"; exec sleep 500' > "$T/out"
fact "it has said all" wait_for 10 is_seen talk 's["output_bytes"] > 1200' true
run session save talk --to "$T/talk.cast"
is "it is saved" "$STATUS $(modes "$T/talk.cast")" '0 600'
fact "as asciicast v2" "$PY" -c 'import json, sys
head, *events = [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]
assert head["version"] == 2 and (head["width"], head["height"]) == (80, 24) and head["title"] == "talk"
assert head["cmdop"]["machine"] == "box" and events and all(e[0] == 0 and e[1] == "o" for e in events)
text = "".join(e[2] for e in events)
assert text.startswith("a\ufffdb\u00e9\033[31mred") and "\033[6n" in text and text.endswith("end\r\n"), text' "$T/talk.cast"
run session restore --from "$T/talk.cast"
says "restore says of what" "$T/err" '^session [0-9a-f]{32}, talk, on box, '
is "and the last hundred lines" "$(wc -l < "$T/out") $(tr -d '\r' < "$T/out" | sed -n 1p)" '100 202'
run session restore --from "$T/talk.cast" -n 0
is "or none" "$STATUS $(wc -c < "$T/out")" '0 0'
run session restore --from "$T/talk.cast" -n 1000
printf 'a\357\277\275b\303\251\033[31mred\033[m\r\n' > "$T/begin"
fact "colours stay, and nothing that a terminal would answer" cmp -n 18 "$T/begin" "$T/out"
is "nowhere" "$(grep -c "$(printf '\033\\[6n\\|\033]52')" "$T/out")" 0
run session restore --from "$T/talk.cast" more
is "it takes one file" "$STATUS $(grep -c 'a file is all' "$T/err")" '2 1'
printf '{"version":2,"width":80,"height":24}\n[0,"o","ab' > "$T/cut.cast"
run session restore --from "$T/cut.cast"
refused "a file that was cut" 1 'cut.cast, line 2: a line is cut short'
run session restore --from /dev/null
refused "an empty one" 1 'the file is empty'

mkfifo "$T/pipe"
run session save talk --to "$T/pipe"
refused "a pipe is not replaced" 1 'not a regular file; --to - writes'
fact "and still there" test -p "$T/pipe"
ln -s /dev/null "$T/null"
run session save talk --to "$T/null"
refused "nor a device" 1 'not a regular file'
run session save talk --to "$T/no/folder"
refused "a folder that is not there is told" 1 'no/folder'
session save talk --to - > "$T/out"
fact "- is standard output" cmp -n 30 "$T/talk.cast" "$T/out"
for verb in "save talk --to -" "list" "list --json"; do
    session $verb > /dev/full 2> "$T/err"
    STATUS=$?
    refused "session $verb: a full disk is told" 1 'the output cannot be written'
done

# ---- on a terminal --------------------------------------------------------------------------

script <<'EOS'
from terminal import *

def cmdop(*args):
    t = Terminal([CMDOP, "session"] + list(args))
    t.wait()
    return t

# What the session asked its terminal then is not asked again.
ASK = "\x1b[6n"
t = connect("box", "--new")
t.prompt()
t.type("echo $CMDOP_SESSION\r")
sid = t.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
t.type("printf '\\033[6n\\033[c\\033[32mgre''en\\033[0m\\n'\r")
fact("a terminal is asked", t.expect("green") and ASK in t.seen, t.seen[-200:])
t.type("\x04")
t.wait()
t = connect("box", "--session", sid[:8])
fact("coming back, by so much of its id as was shown, the output is there, with its colours", t.expect("\x1b\\[32mgreen"), t.seen[-200:])
t.prompt()
fact("and the terminal is not asked again", ASK not in t.seen and "\x1b[c" not in t.seen, t.seen)
t.type("printf '\\033[6nag''ain\\n'\r")
fact("until the session asks anew", t.expect("\x1b\\[6nagain"), t.seen[-200:])

# A program that reads nothing, and more keys than anybody keeps.
t.type("sleep 500\r")
t.read(0.5)
fcntl.fcntl(t.master, fcntl.F_SETFL, fcntl.fcntl(t.master, fcntl.F_GETFL) | os.O_NONBLOCK)
pasted = 0
def paste(n):
    global pasted
    try:
        while n > 0:
            wrote = os.write(t.master, (b"x" * 79 + b"\r") * 50)
            pasted, n = pasted + wrote, n - wrote
    except BlockingIOError:
        pass
    t.read(0.05)
def pasted_enough():
    paste(2_000_000 - pasted)
    return pasted >= 2_000_000
fact("however much is typed, the terminal takes it", wait_for(pasted_enough, 20), pasted)
fact("a line says how to leave", t.expect(r"no answer for \d+ s; ~\. to leave"))
fcntl.fcntl(t.master, fcntl.F_SETFL, fcntl.fcntl(t.master, fcntl.F_GETFL) & ~os.O_NONBLOCK)
os.write(t.master, b"\r~.")
fact("and ~. leaves", t.wait() == 0, t.status)
fcntl.fcntl(t.slave, fcntl.F_SETFL, fcntl.fcntl(t.slave, fcntl.F_GETFL) & ~os.O_NONBLOCK)
fact("the terminal is as it was", t.modes()[:6] == t.before[:6], t.before, t.modes())

# Two in one session.
u, v = connect("box", "--new"), None
u.prompt()
u.type("echo $CMDOP_SESSION\r")
sid = u.expect(r"\r\n([0-9a-f]{32})\r\n").group(1)
v = connect("box", "--session", sid)
v.prompt()
v.type("\r~t")
fact("control is told to who takes it", v.expect("you type alone"))
fact("and to the other", u.expect("types alone now; ~t takes control"))
u.type("\r~r")
fact("who cannot give it away", u.expect("types alone; ~t takes control") and "everybody may type" not in u.seen, u.seen[-200:])
v.type("\r~r")
fact("whose it is can", v.expect("everybody may type") and u.expect("left control; everybody may type"))
many = [connect("box", "--session", sid) for _ in range(14)]
fact("sixteen may type", all(x.expect("reattached") for x in many))
o = connect("box", "--observe", "--session", sid)
o.expect("you watch")
o.type("~t")
fact("one who watched is told that there is no place", o.expect("as many operators are attached as may be"))
u.type("echo still-th''ere\r")
fact("and watches on", o.expect("still-there"), o.seen[-200:])
many[0].type("\x04")
many[0].wait()
o.type("~t")
fact("until there is one", u.expect("types alone now"), o.seen[-200:])
done = cmdop("destroy", sid)
fact("one may end it", done.status == 0, done.seen)
for x in u, v:
    fact("both hear it, with what to do", x.wait() == 255 and
         "the session was destroyed; connect again for a new session" in x.seen and x.restored(), x.status, x.seen[-200:])
EOS
finish
