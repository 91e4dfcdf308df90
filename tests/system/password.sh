# A machine with an attach password: who comes through the relay must have it, once a day, and
# neither the relay nor anything it keeps ever has it.
. tests/system/lib/test.sh
WORD='correct horse battery' NEXT='another secret one'
FILE=$T/box/state/cmdop/password
relay
machine box
password() { at relay "$CMDOP" connect password "$@"; }
here() { at box "$CMDOP" connect password "$@"; }
lines() { grep -c -- "$1" "$T/box.log"; }

# ---- set, on the machine -------------------------------------------------------------------------
run here status
is "a machine has none at first" "$(cut -d: -f1 "$T/out" | head -n 1)" "this machine  no password"
is "and lets in whoever may use it" "$(exec_on box -- echo in)" in
echo "$WORD" > "$T/word" && echo "$NEXT" > "$T/next" && chmod 600 "$T/word" "$T/next"
printf short > "$T/short"
run here set < "$T/short"
refused "a short one is refused" 2 '8 characters'
run here set < /dev/null
refused "none is refused" 2 '8 characters'
run here set < "$T/word"
is "it is set by the agent's user" "$STATUS" 0
is "in a file for nobody else" "$(modes "$FILE")" 600
is "which has no password in it" "$(grep -c "$WORD" "$FILE")" 0
is "the machine is armed" "$(here status --json | "$PY" -c 'import json, sys; d = json.load(sys.stdin); print(d["state"], d["armed"], d["tokens"])')" "armed True 0"
is "its own user is not asked" "$(at box "$CMDOP" connect exec --local box -- echo in)" in

# ---- who has it not -------------------------------------------------------------------------------
run exec_on box -- echo in
refused "a command is refused, with the remedy" 6 'wants its attach password; .*--password-file'
run exec_on --json box -- echo in
is "with --json as well" "$STATUS $(json "$T/out" 'd["outcome"]') $(json "$T/out" 'd["exit_code"]')" "6 refused 6"
is "which tells the remedy" "$(json "$T/out" '"--password-file" in d["remedy"]')" true
run connect box < /dev/null
refused "a session is refused" 6 'wants its attach password'
run at relay "$CMDOP" job list box
is "questions about commands are refused" "$STATUS" 6
run at relay "$CMDOP" session list box
is "and about sessions" "$STATUS" 6
run connect --list
says "the fleet still sees it" "$T/out" '^box .*online'
is "each refusal is in its log" "$(lines event=lock.refused)" 5

# ---- who has it -----------------------------------------------------------------------------------
is "a file has it" "$(exec_on --password-file "$T/word" box -- echo in)" in
is "and then the token does" "$(exec_on box -- echo in)" in
is "also for questions" "$(at relay "$CMDOP" job list box > "$T/out" 2>&1; echo $?)" 0
fact "and for sessions" at relay "$CMDOP" session list box
is "it is kept for its owner" "$(modes "$T/relay/run/cmdop/"unlock-*)" 600
password list > "$T/out"
says "and is listed with its end" "$T/out" "^box  *20[0-9-]*T.*$(machine_id box)"
is "without the token" "$(password list --json | "$PY" -c 'import json, sys; print(sorted(json.load(sys.stdin)["tokens"][0]))')" "['expires_at', 'host', 'machine_id']"
password status --json box > "$T/out"
is "the machine counts it" "$(json "$T/out" 'd["tokens"]') $(json "$T/out" 'd["token_here"]')" "1 true"
is "its key is the one it shows itself" "$(json "$T/out" 'd["public_key_fingerprint"]')" \
    "$(at box "$CMDOP" agent status --json | "$PY" -c 'import json, sys; print(json.load(sys.stdin)["fingerprint"])')"
is "no token is in the file of the machine" "$("$PY" - "$FILE" "$T/relay/run/cmdop/"unlock-* <<'EOS'
import sys
print(open(sys.argv[2], "rb").read()[8:40] in open(sys.argv[1], "rb").read())
EOS
)" False
end "$AGENT"
agent box
is "the token outlives the agent" "$(exec_on box -- echo in)" in
end "$RELAY"
relay
wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
is "and the relay" "$(exec_on box -- echo in)" in

# ---- typed ------------------------------------------------------------------------------------------
here clear --tokens 2> "$T/err"
run exec_on box -- echo in
refused "tokens can be ended" 6 'wants its attach password'
script <<'EOS'
from facts import *
from terminal import *

word = open(os.path.join(T, "word")).read().strip()
for argv, out in (["connect", "exec", "box", "--", "echo", "hallo"], r"hallo\r\n"), \
                 (["session", "create", "box", "--name", "made"], r"[0-9a-f]{32}\r\n"), \
                 (["job", "list", "box"], r"there are no jobs"), (["job", "wait", "box:none"], None):
    t = Terminal([CMDOP] + argv)
    fact("%s asks inline" % argv[0], t.expect(r"Password for box: $"), t.seen)
    t.type(word + "\r")
    fact("and goes on", (t.wait() == 1 if out is None else t.expect(out) and t.wait() == 0) and t.restored() and word not in t.seen, t.status, t.seen)
    subprocess.run([CMDOP, "session", "destroy", "box:made"], capture_output=True)
    subprocess.run([CMDOP, "connect", "password", "clear", "--tokens", "box", "--password-file", os.path.join(T, "word")], check=True)
t = Terminal([CMDOP, "session", "create", "box"])
t.expect(r"Password for box: $")
t.type("\x03")
fact("Ctrl-C gives up", t.wait() == 6 and t.restored() and "no password was given" in t.seen, t.status, t.seen)
t = connect("box")
fact("it is asked for inline", t.expect(r"Password for box: $"), t.seen)
t.type("wrong one\r")
fact("a wrong one is told", t.expect(r"not the password\r\n.*Password for box: $"), t.seen)
t.type(word[:-1] + "x\x7f" + word[-1] + "\r")
t.prompt()
fact("the right one opens", "session" in t.seen, t.seen)
fact("and is not shown", word not in t.seen and "wrong one" not in t.seen, t.seen)
log = Log("box.log")
os.kill(int(os.environ["AGENT"]), 9)
EOS
agent box
script <<'EOS'
from facts import *
from terminal import *

t = connect("box")
fact("the next one is not asked", t.prompt() and "Password" not in t.seen, t.seen)
t.type("echo $((40+2))\r")
fact("and works", t.expect(r"\r\n42\r\n"))
os.kill(int(os.environ["RELAY"]), 9)
fact("when the relay is gone", t.expect("connection lost"))
restart = subprocess.Popen([CMDOP, "server", "--listen-grpc", "127.0.0.1:" + os.environ["PORT"],
                            "--listen-api", "127.0.0.1:" + os.environ["API"]],
                           stdout=open(os.path.join(T, "second.log"), "w"), stderr=subprocess.STDOUT)
with open(os.path.join(T, "pids"), "a") as f:
    f.write("%d\n" % restart.pid)
t.unread = ""
t.type("echo $((6*7))\r")
fact("and back, it goes on without a question",
     t.expect(r"\r\n42\r\n", 40) and "Password" not in t.seen, t.seen[-500:])

# What the relay holds, whole: its memory and its files.
words = [open(os.path.join(T, n)).read().strip().encode() for n in ("word", "next")]

u = connect("box", "--new", "--password-file", os.path.join(T, "word"))
u.prompt()
run = subprocess.run([CMDOP, "connect", "password", "clear", "--tokens", "--password-file",
                      os.path.join(T, "word"), "box"], stderr=subprocess.PIPE)
fact("an owner ends all tokens from afar, with the password", run.returncode == 0, run.stderr)
run = subprocess.run([CMDOP, "connect", "exec", "--password-file", os.path.join(T, "word"), "box",
                      "--", "echo", "needle" + "-" * 3], stdout=subprocess.PIPE)
fact("and comes in again", run.stdout == b"needle---\n")
try:
    fact("what is shown passes through the relay's memory", holds(restart.pid, b"needle---"))
    fact("the password does not", not holds(restart.pid, words[0]))
except OSError as e:
    print("ok its memory # SKIP", e)
u.type("exit\r")
u.wait()
t.type("exit\r")
t.wait()
restart.terminate()
restart.wait()
EOS
relay
wait_for 20 has "$T/relay.log" 'machine.online msg="box"'

# ---- from afar -------------------------------------------------------------------------------------
run password set box < "$T/next"
refused "from afar another one needs the present one" 6 'wants its attach password'
run password set --password-file "$T/next" box < "$T/next"
refused "the right one" 6 'not the attach password'
run password set --password-file "$T/word" box < "$T/next"
is "with it an owner sets another" "$STATUS" 0
run exec_on box -- echo in
refused "which ends the tokens of the old one" 6 'wants its attach password'
is "and is in force" "$(exec_on --password-file "$T/next" box -- echo in)" in
is "a variable has it as well" \
    "$(here clear --tokens 2> /dev/null; CMDOP_AGENT_PASSWORD=$NEXT; export CMDOP_AGENT_PASSWORD; exec_on box -- echo in)" in

# ---- another key -----------------------------------------------------------------------------------
for f in "$T/relay/config/cmdop/known/"*; do
    printf X | dd of="$f" bs=1 seek=20 conv=notrunc 2> /dev/null
done
here clear --tokens 2> /dev/null
run exec_on --password-file "$T/next" box -- echo in
refused "a machine with another key gets no password" 6 'another key than before'
run password status --accept-key box
is "but when somebody accepts it" "$STATUS" 0
is "it does" "$(exec_on --password-file "$T/next" box -- echo in)" in

# ---- wrong ones --------------------------------------------------------------------------------------
here set < "$T/next" 2> /dev/null
for i in 1 2; do run exec_on --password-file "$T/word" box -- echo in; done
refused "a wrong one is told" 6 'not the attach password'
run exec_on --password-file "$T/word" box -- echo in
refused "the third has to wait" 6 'not the password; the machine looks at no other for 1 second'
run exec_on --password-file "$T/word" box -- echo in
run exec_on --password-file "$T/word" box -- echo in
run exec_on --password-file "$T/next" box -- echo in
if [ "$STATUS" -eq 6 ]; then says "meanwhile the right one as well" "$T/err" 'looks at no other'; fi
wait_for 20 exec_on --password-file "$T/next" box -- echo in
is "then it opens" "$?" 0
says "each is in the log, by whom" "$T/box.log" 'event=lock.wrong msg=".* \(fleet .*\): a wrong password'

# ---- a file that cannot be read --------------------------------------------------------------------------
end "$AGENT"
mv "$FILE" "$T/away"
mkdir "$FILE"
agent box
run exec_on box -- echo in
refused "nobody comes in, and it is said that this may pass" 255 'cannot read its password file now; try again'
rmdir "$FILE"
mv "$T/away" "$FILE"
run exec_on --password-file "$T/next" box -- echo in
is "once it can be read, the same agent knows the password" "$(cat "$T/out")" in

# ---- a damaged file ------------------------------------------------------------------------------------
end "$AGENT"
printf X | dd of="$FILE" bs=1 seek=40 conv=notrunc 2> /dev/null
agent box
run exec_on box -- echo in
refused "a damaged file lets nobody in" 6 'the password file of the machine is damaged.*cmdop connect password set'
run exec_on --password-file "$T/next" box -- echo in
refused "whatever they bring" 6 'the password file of the machine is damaged'
says "the log says it" "$T/box.log" 'event=lock.damaged'
run password clear box
refused "from afar it is not mended" 6 'damaged'
is "its own user comes in" "$(at box "$CMDOP" connect exec --local box -- echo in)" in
end "$AGENT"
here set < "$T/word" 2> /dev/null
agent box
is "and mends it, also while no agent runs" "$(exec_on --password-file "$T/word" box -- echo in)" in

# ---- no more -------------------------------------------------------------------------------------------
is "afterwards a token of a machine without one is ignored" "$(here clear 2> /dev/null; exec_on box -- echo in)" in
fact "nothing of it is left" test ! -e "$FILE"
end "$AGENT"
end "$RELAY"
is "no log has a password" "$(cat "$T"/*.log "$T"/*.log.old | grep -c -e "$WORD" -e "$NEXT")" 0
is "nor any file of the relay and its operator" "$(grep -rlF -e "$WORD" -e "$NEXT" "$T/relay" | wc -l)" 0
is "nor any of the machine" "$(grep -rlF -e "$WORD" -e "$NEXT" "$T/box" | wc -l)" 0
finish
