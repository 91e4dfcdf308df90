# Commands that go on by themselves, as somebody uses them who has not read how they are made: one
# process for each id, whatever is asked again and whoever is killed; and how it ended, never a guess.
. tests/system/lib/test.sh
relay && machine box

job() { at relay "$CMDOP" job "$@"; }
count() { grep -c . "$1"; }                                   # lines of a file
state() { job list --json > "$T/list.json" && json "$T/list.json" \
    "next((j['state'] for j in d['jobs'] if j['id'] == '$1'), 'none')"; } # ID
is_state() { test "$(state "$1")" = "$2"; }                    # ID STATE
outcome() { json "$T/out" 'd["outcome"]'; }
kill_agent() { end "$AGENT" KILL; agent box; }
numbers_are() { # NAME FILE UPTO: 1 to UPTO, each once, and nothing else
    seq "$3" > "$T/seq"
    fact "$1" cmp "$T/seq" "$2"
}

# ---- one process for each id ----------------------------------------------------------

echo 'echo run >> "$HOME/$1"; sleep "$2"; echo "done $1"' > "$T/box/work.sh"
for i in 1 2 3; do run exec_on --id once box -- sh "$T/box/work.sh" once 0; done
is "the same id three times is one process" "$(count "$T/box/once")" 1
is "and each time its output and status" "$STATUS $(cat "$T/out")" '0 done once'
for i in 1 2 3 4 5 6 7 8 9 10; do
    exec_on --id many box -- sh "$T/box/work.sh" many 1 > "$T/many.$i" 2>&1 &
    echo $! > "$T/many.pid.$i"
done
ended=0
for i in 1 2 3 4 5 6 7 8 9 10; do wait "$(cat "$T/many.pid.$i")" && ended=$((ended + 1)); done
is "ten tools at once with one id start one process" "$(count "$T/box/many")" 1
fact "and somebody hears its end" test "$ended" -ge 1
is "the others are told why they do not" \
    "$(cat "$T"/many.[0-9]* | grep -vc '^done many$\|somebody else asked for this command')" 0
run exec_on --id once box -- echo other
refused "another command may not have the id" 255 'another command has this id'
run exec_on --id 'a/b' box -- true
is "an id is a plain word" "$STATUS" 2

printf 'one\ntwo\n' > "$T/input"
for i in 1 2; do
    run exec_on --id fed box -- sh -c 'tee -a "$HOME/fed" | wc -l' < "$T/input"
    is "the command's answer to its input, time $i" "$STATUS $(cat "$T/out")" '0 2'
done
is "its input was applied once" "$(cat "$T/box/fed")" "$(cat "$T/input")"

# ---- left alone -----------------------------------------------------------------------

run exec_on --detach --id nightly box -- sh -c 'echo begun; echo aside >&2; sleep 2; echo over; exit 3'
is "--detach prints HOST:ID and comes back" "$STATUS $(cat "$T/out")" '0 box:nightly'
run exec_on -d box -- sleep 300
is "without an id one is made" "$STATUS $(grep -Ec '^box:[0-9a-f]{32}$' "$T/out")" '0 1'
MADE=$(cat "$T/out")
exec_on -d --id blind box -- cat > "$T/out" < "$T/input"
run job wait --timeout 20s blind
is "one that was left has no input" "$STATUS" 0
run job list
says "the list has it as running" "$T/out" '^box:nightly +running +[0-9T:Z-]+ +sh -c'
says "and one that is over with its status" "$T/out" '^box:once +done 0 '
run job list --json
fact "the list as JSON is JSON" json_is "$T/out" 'len(d["jobs"]) >= 4'
fact "with numbers where they are known" json_is "$T/out" 'all(
    (j["status"] is None) == (j["state"] == "running") and (j["ended_at"] is None) == (j["state"] == "running")
    and j["machine"] == "box" and j["kept"] and j["pid"] >= 0 for j in d["jobs"])'
run job list box
says "one machine can be asked" "$T/out" '^box:nightly '
run job list bo --json
fact "by a part of its name, too: the list says which" json_is "$T/out" 'len(d["jobs"]) > 0 and all(
    j["machine"] == "box" and j["machine_id"] == "'"$(machine_id box)"'" for j in d["jobs"])'
run job list nobody
is "and one that is not there is told" "$STATUS $(wc -l < "$T/err")" '255 1'
run job logs nightly
is "logs shows what there is and comes back" "$STATUS $(cat "$T/out") $(cat "$T/err")" '0 begun aside'
run job logs -f nightly
is "logs -f shows all until its end" "$STATUS $(tr '\n' ' ' < "$T/out")" '0 begun over '
run job logs --from 6 box:nightly
is "--from begins at an offset" "$(cat "$T/out") $(cat "$T/err")" 'over aside'
run job logs --from 6,6 nightly
is "of both streams" "$(cat "$T/out")$(cat "$T/err")" over
run job logs --from 1,x nightly
is "which are numbers" "$STATUS" 2
run job logs no-such-job
refused "there are no logs of what is not there" 1 'nothing .*: no-such-job; .cmdop job list'
run job wait nightly
is "wait exits as the command did" "$STATUS$(cat "$T/out" "$T/err")" 3
run job wait box:nightly
is "as often as it is asked" "$STATUS" 3
exec_on -d --id shot box -- sh -c 'kill -TERM $$' > "$T/out"
run job wait shot
is "128 and n for a signal" "$STATUS" 143

# ---- time -----------------------------------------------------------------------------

exec_on -d --id slow box -- sh "$T/box/work.sh" slow 3 > "$T/out"
run job wait --timeout 300ms slow
is "wait --timeout is 124" "$STATUS" 124
is "and the job goes on" "$(state slow)" running
run exec_on --timeout 500ms --id lazy box -- sh -c 'echo first; sleep 2; echo "last $(date +%s)" >> "$HOME/lazy"'
is "exec --timeout is 124, with what came before" "$STATUS $(cat "$T/out")" '124 first'
says "it says that the command goes on, and how to wait" "$T/err" 'goes on there: cmdop job wait box:lazy'
is "so it does" "$(state lazy)" running
run exec_on --timeout 500ms box -- sh -c 'sleep 1; echo plain >> "$HOME/plain"'
is "one without an id goes on too" "$STATUS" 124
REF=$(sed -n 's/.*cmdop job wait //p' "$T/err")
run job wait "$REF"
is "under the id that was told" "$STATUS $(cat "$T/box/plain")" '0 plain'
run exec_on --timeout 500ms --kill --id killed box -- sh -c 'echo first; exec sleep 43'
is "with --kill it is 124 too" "$STATUS $(cat "$T/out")" '124 first'
fact "and the command is ended" wait_for 5 sh -c "! pgrep -f '^sleep 43\$'"
is "which is known later" "$(state killed)" timeout
run job wait killed
is "and waited for" "$STATUS" 124
kill_agent
is "which a new agent knows, too" "$(state killed)" timeout
run job wait killed
is "and tells" "$STATUS" 124
run exec_on --kill box -- true
is "--kill wants a time" "$STATUS $(grep -c -- '--kill needs --timeout' "$T/err")" '2 1'
for time in 0 -1 60d x; do
    run exec_on --timeout $time box -- true
    is "$time is no time to wait" "$STATUS" 2
done
run job wait --timeout 0 slow
is "nor is 0 to wait for a job" "$STATUS" 2
run job wait slow
is "the slow one ended well meanwhile" "$STATUS" 0
run job wait lazy
is "and the lazy one" "$STATUS $(count "$T/box/lazy")" '0 1'

# ---- signal, rm -----------------------------------------------------------------------

exec_on -d --id victim box -- sleep 300 > "$T/out"
run job rm victim
refused "a running job is not removed" 255 '^cmdop: box:victim: the command runs, .* --force'
is "and runs on" "$(state victim)" running
run job signal victim SIGINT
is "a signal is sent" "$STATUS$(cat "$T/err")" 0
run job wait victim
is "and ends it" "$STATUS" 130
run job signal victim NONSENSE
fact "a signal that is none is refused" test "$STATUS" -ne 0
run job rm victim
is "one that is over is removed" "$STATUS $(state victim)" '0 none'
exec_on -d --id victim box -- sleep 301 > "$T/out"
is "then the id is free" "$(state victim)" running
run job rm --force victim
is "rm --force removes a running one" "$STATUS $(state victim)" '0 none'
fact "and ends it" wait_for 8 sh -c "! pgrep -f '^sleep 301\$'"

# ---- what a job is called -------------------------------------------------------------

ID=${MADE#box:}
SOME=$(echo "$ID" | cut -c1-6)
for ref in "$MADE" "$ID" "$SOME" "box:$SOME"; do
    run job wait --timeout 10ms "$ref"
    is "it is found as ${#ref} characters" "$STATUS" 124
done
run job wait no-such-job
refused "an unknown job is told" 1 'nothing on the machines that answer is called that: no-such-job'
run job wait nobody:nightly
refused "on an unknown machine too" 255 'no machine'
exec_on -d --id twins-1 box -- true > "$T/out"
exec_on -d --id twins-2 box -- true > "$T/out"
run job wait twin
refused "one that may be two is told, with both" 1 'several.*box:twins-[12], box:twins-[12]'
run job wait twins-1
is "the whole name is one" "$STATUS" 0
run job rm --force "$MADE" box:twins-1 twins-2
is "several are removed at once" "$STATUS $(state "$ID") $(state twins-1) $(state twins-2)" '0 none none none'

# ---- those in between are killed -------------------------------------------------------

# Numbers, slowly enough that every kill falls between them, and the pid of who says them.
cat > "$T/box/numbers.sh" <<'EOS'
echo $$ >> "$HOME/$1.pid"
n=1
while [ $n -le "$2" ]; do echo $n; n=$((n + 1)); [ $((n % 50)) -ne 0 ] || sleep 0.05; done
exit 9
EOS
numbers() { exec_on --id "$1" box -- sh "$T/box/numbers.sh" "$1" "$2"; }
kill_relay() { end "$RELAY" KILL; relay; }

exec_on -d --id across box -- sh "$T/box/numbers.sh" across 2000 > "$T/out"
wait_for 5 test -s "$T/box/across.pid"
PID=$(cat "$T/box/across.pid")
kill_agent
fact "a job outlives its agent" alive "$PID"
job list --json > "$T/list.json"
is "and has the same pid" "$(json "$T/list.json" 'next(j["pid"] for j in d["jobs"] if j["id"] == "across")')" "$PID"
run job wait across
is "it ends as it would have" "$STATUS $(count "$T/box/across.pid")" '9 1'
run job logs across
numbers_are "all it said is there" "$T/out" 2000
kill_agent
run job logs across
numbers_are "also after one more agent" "$T/out" 2000

attached() { # WHAT KILL...: while a tool streams, it happens twice; ID is WHAT's first word
    id=${1%% *}
    what=$1
    shift
    : > "$T/stream"
    numbers "$id" 3000 >> "$T/stream" 2> "$T/stream.err" &
    tool=$!
    for at in 200 1200; do
        wait_for 10 sh -c "test \$(wc -l < '$T/stream') -ge $at"
        "$@"
    done
    wait $tool
    is "the status comes through a killed ${what#* }" $? 9
    numbers_are "and its output, nothing missed, nothing doubled" "$T/stream" 3000
    is "from one process" "$(count "$T/box/$id.pid")" 1
}
attached "stream-a agent" kill_agent
attached "stream-r relay" kill_relay
both() { end "$RELAY" KILL; end "$AGENT" KILL; relay; agent box; }
attached "stream-b pair of both" both
# Without an id: one is made, and it serves as long as the tool is there.
: > "$T/stream"
exec_on box -- sh "$T/box/numbers.sh" plain-r 2000 >> "$T/stream" 2> "$T/stream.err" &
tool=$!
wait_for 10 sh -c "test \$(wc -l < '$T/stream') -ge 200"
kill_relay
wait $tool
is "a plain command goes on through a new relay" $? 9
numbers_are "with all its output" "$T/stream" 2000
is "from one process too" "$(count "$T/box/plain-r.pid")" 1

keeper_of() { # a keeper's record names no id: the parent of its process is it
    ps -o ppid= -p "$1" | tr -d ' '
}
exec_on -d --id doomed box -- sh -c 'echo $$ > "$HOME/doomed"; exec sleep 302' > "$T/out"
wait_for 5 test -s "$T/box/doomed"
KEEPER=$(keeper_of "$(cat "$T/box/doomed")")
is "a job's parent is its keeper" "$(ps -o args= -p "$KEEPER" | grep -c 'keeper')" 1
kill -KILL "$KEEPER"
fact "a job whose keeper was killed is lost" wait_for 8 is_state doomed lost
run job wait doomed
refused "wait says that nobody knows" 255 'how the command ended is not known'
run exec_on --id doomed box -- sh -c 'echo $$ > "$HOME/doomed"; exec sleep 302'
refused "the same id gets no second process" 255 'how the command ended is not known'
kill_agent
is "lost it is after a new agent too" "$(state doomed)" lost
run exec_on --id doomed box -- sh -c 'echo $$ > "$HOME/doomed"; exec sleep 302'
refused "and its id is still taken" 255 'how the command ended is not known'

exec_on -d --id stopped box -- sh -c 'echo run >> "$HOME/stopped"; exec sleep 303' > "$T/out"
wait_for 5 test -s "$T/box/stopped"
at box "$CMDOP" agent stop --all > "$T/out" 2>&1
agent box
fact "a job that \`agent stop --all\` has ended is lost" wait_for 8 is_state stopped lost
run exec_on --id stopped box -- sh -c 'echo run >> "$HOME/stopped"; exec sleep 303'
refused "and its id gets no second process either" 255 'how the command ended is not known'
is "which is one" "$(count "$T/box/stopped")" 1

# ---- outcomes are never mixed ----------------------------------------------------------

outcome_is() { # NAME OUTCOME EXIT_CODE STATUS; after `run`
    is "$1" "$(outcome) $(json "$T/out" 'd["exit_code"]') $STATUS" "$2 $3 $4"
}
run exec_on --json --id j-done box -- sh -c 'echo hi; exit 4'
outcome_is "an end" exited 4 4
is "with the id" "$(json "$T/out" 'd["id"]')" j-done
run exec_on --json --id j-done box -- sh -c 'echo hi; exit 4'
outcome_is "the same end once more" exited 4 4
is "with its output" "$(json "$T/out" 'd["stdout"].strip()')" hi
run exec_on --json --id j-sig box -- sh -c 'kill -KILL $$'
outcome_is "a signal" signalled 137 137
run exec_on --json --timeout 300ms --id j-run box -- sleep 3
outcome_is "one that goes on" running null 124
run exec_on --json -d --id j-det box -- sleep 3
outcome_is "one that was left" running null 0
run exec_on --json --timeout 300ms --kill --id j-kill box -- sleep 44
outcome_is "one that was ended in time" timeout 124 124
run exec_on --json --id j-none box -- no-such-program
outcome_is "a program that is not there" refused 127 127
is "leaves no job behind" "$(state j-none)" none
run exec_on --json --id j-file box -- /etc/passwd
outcome_is "one that cannot be run" refused 126 126
run exec_on --json nobody -- true
outcome_is "a machine that is not there" refused 255 255
run exec_on --json --id doomed box -- sh -c 'echo $$ > "$HOME/doomed"; exec sleep 302'
outcome_is "one that nobody knows of any more" lost 255 255
silent() { exec_on --json --timeout "$1" --id silent box -- sh -c 'echo run >> "$HOME/silent"'; } # TIME
kill -STOP "$AGENT"
run silent 1s
outcome_is "a machine that did not answer in time" lost 124 124
kill -CONT "$AGENT"
run silent 30s
outcome_is "asked again it tells" exited 0 0
is "how the one process ended" "$(count "$T/box/silent")" 1
finish
