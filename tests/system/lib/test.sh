# What the system tests share. POSIX sh; a test begins with
#
#     . tests/system/lib/test.sh
#
# and ends with `finish`. It has a private folder $T and in it places, which are
# users or machines of their own: `at box COMMAND` runs with HOME and the XDG
# folders below $T/box. The relay and its operator live at the place "relay".

set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/cmdop.XXXXXX") || exit 2
PY=${PYTHON:-python3}
export T
SERVER=$T/relay/state/cmdop/server # the relay's own files
: > "$T/pids"
FACTS=0 FAILED=0

# ---- facts -----------------------------------------------------------------------

verdict() { # STATUS NAME
    FACTS=$((FACTS + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $FACTS - $2"
    else
        FAILED=$((FAILED + 1))
        echo "not ok $FACTS - $2"
    fi
}

note() { sed 's/^/#   /'; } # standard input, as remarks

fact() { # NAME COMMAND...: the command succeeds
    name=$1
    shift
    "$@" > "$T/fact" 2>&1
    status=$?
    verdict $status "$name"
    [ $status -eq 0 ] || { echo "$* : status $status"; cat "$T/fact"; } | note
}

is() { # NAME GOT WANTED
    if [ "$2" = "$3" ]; then verdict 0 "$1"; else
        verdict 1 "$1"
        printf 'got    %s\nwanted %s\n' "$2" "$3" | note
    fi
}

says() { # NAME FILE PATTERN: one line of the file has it, an extended expression
    if grep -Eq -- "$3" "$2"; then verdict 0 "$1"; else
        verdict 1 "$1"
        { echo "no line like: $3"; tail -n 20 "$2"; } | note
    fi
}

# What a failed command must do: say one sentence, end with that status, not crash.
refused() { # NAME STATUS PATTERN; after `run`
    if [ "$STATUS" -eq "$2" ] && [ "$(wc -l < "$T/err")" -eq 1 ] && grep -Eq -- "$3" "$T/err"; then
        verdict 0 "$1"
    else
        verdict 1 "$1"
        { echo "status $STATUS, wanted $2 and one line like: $3"; cat "$T/err"; } | note
    fi
}

skip() { # WHY: this test cannot run here
    echo "$*"
    exit 77
}

pass_over() { # WHY: some of its facts cannot be seen here
    FACTS=$((FACTS + 1))
    echo "ok $FACTS # SKIP $*"
}

finish() {
    echo "1..$FACTS"
    [ $FAILED -eq 0 ] || exit 1
    exit 0
}

# ---- running ---------------------------------------------------------------------

run() { # COMMAND...: its output in $T/out and $T/err, its status in STATUS
    "$@" > "$T/out" 2> "$T/err"
    STATUS=$?
}

wait_for() { # SECONDS COMMAND...: until the command succeeds
    until=$(($(date +%s) + $1))
    shift
    until "$@" > "$T/waits" 2>&1; do
        if [ "$(date +%s)" -gt "$until" ]; then
            { echo "waited in vain for: $*"; tail -n 5 "$T/waits"; } | note
            return 1
        fi
        sleep 0.05
    done
}

has() { grep -Eq -- "$2" "$1"; } # FILE PATTERN
alive() { kill -0 "$1" 2>> "$T/waits"; }
gone() { ! alive "$1"; }
modes() { stat -c '%a' "$@"; }
sum() { sha256sum "$1" | cut -d' ' -f1; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

json() { # FILE EXPRESSION: print what a Python expression over the document `d` gives
    "$PY" -c 'import json, sys
d = json.load(open(sys.argv[1]))
v = eval(sys.argv[2])
print(v if isinstance(v, str) else json.dumps(v))' "$1" "$2"
}

json_is() { test "$(json "$1" "$2")" = true; }

# ---- places ----------------------------------------------------------------------

place() { # NAME: make it, with a shell whose prompt is known
    [ -d "$T/$1" ] && return
    mkdir -p "$T/$1"
    cat > "$T/$1/.profile" <<-END
	PS1='$1\$ ' HISTFILE=/dev/null
	unset PROMPT_COMMAND
	END
    echo 'set enable-bracketed-paste off' > "$T/$1/.inputrc"
    cp "$T/$1/.profile" "$T/$1/.bash_profile"
}

# An environment is more than a prefix: the command may be a function's argument.
at() { # PLACE COMMAND...
    place "$1"
    home=$T/$1
    shift
    env HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_STATE_HOME="$home/state" \
        XDG_RUNTIME_DIR="$home/run" INPUTRC="$home/.inputrc" "$@"
}

spawn() { # PLACE LOG COMMAND...: in the background; its pid in SPAWNED
    place "$1"
    home=$T/$1 log=$2
    : > "$log"
    shift 2
    (
        exec > "$log" 2>&1 < /dev/null
        exec env HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_STATE_HOME="$home/state" \
            XDG_RUNTIME_DIR="$home/run" INPUTRC="$home/.inputrc" "$@"
    ) &
    SPAWNED=$!
    echo $SPAWNED >> "$T/pids"
}

# End a process of ours and wait until it is gone; its status in STATUS.
end() { # PID [SIGNAL]
    kill "-${2:-TERM}" "$1" 2>> "$T/waits"
    wait "$1" 2>> "$T/waits"
    STATUS=$?
}

# ---- relay, machines -------------------------------------------------------------

# Starts where it was, if it was started before. A log of an earlier start is kept.
relay() { # [OPTION...]; sets RELAY, PORT, API
    [ ! -f "$T/relay.log" ] || cat "$T/relay.log" >> "$T/relay.log.old"
    spawn relay "$T/relay.log" "$CMDOP" server --listen-grpc "127.0.0.1:${PORT:-0}" \
        --listen-api "127.0.0.1:${API:-0}" "$@"
    RELAY=$SPAWNED
    wait_for 10 has "$T/relay.log" '^  next ' || return 1 # the last of its lines
    PORT=$(sed -n 's/^  machines .*:\([0-9]*\)$/\1/p' "$T/relay.log")
    API=$(sed -n 's/^  health .*port \([0-9]*\),.*/\1/p' "$T/relay.log")
}

join_key() { at relay "$CMDOP" server join-key "$@"; } # print a join string

join() { # PLACE [STRING]: enrol the machine under the place's name
    at "$1" "$CMDOP" join "${2-$(join_key)}" --name "$1"
}

online() { at "$1" "$CMDOP" agent status --check; } # PLACE

agent() { # PLACE [COMMAND...]: start it, wait until it is online; sets AGENT
    where=$1
    [ ! -f "$T/$1.log" ] || cat "$T/$1.log" >> "$T/$1.log.old"
    spawn "$1" "$T/$1.log" "$CMDOP" agent start --foreground
    AGENT=$SPAWNED
    wait_for 10 has "$T/$where.log" 'event=relay.online'
}

machine() { # PLACE: a machine that has joined and is online
    join "$1" > "$T/$1.join" && agent "$1"
}

machine_id() { json "$T/$1/state/cmdop/agent.json" 'd["machine_id"]'; } # PLACE

# What a place knows of relays: all as JSON, or one value of its current server.
signins() { # PLACE [NAME]
    who=$1
    shift
    PYTHONDONTWRITEBYTECODE=1 "$PY" tests/system/lib/signins.py "$T/$who/config/cmdop" "$T/$who/state/cmdop" "$@"
}

# The operator's verbs.
connect() { at relay "$CMDOP" connect "$@"; }
exec_on() { at relay "$CMDOP" connect exec "$@"; }

# ---- conversations ---------------------------------------------------------------

facts_in() { # FILE: lines "ok NAME" and "not ok NAME"; the others are remarks
    while IFS= read -r line; do
        case $line in
        "ok "*)     verdict 0 "${line#ok }" ;;
        "not ok "*) verdict 1 "${line#not ok }" ;;
        *)          echo "#   $line" ;;
        esac
    done < "$1"
}

# Standard input is a program in Python, run at the operator's place; the modules of lib/
# are at hand, and the facts it tells are ours.
script() {
    place relay
    at relay env PYTHONPATH=tests/system/lib PYTHONDONTWRITEBYTECODE=1 T="$T" CMDOP="$CMDOP" \
        PORT="${PORT:-}" API="${API:-}" RELAY="${RELAY:-}" AGENT="${AGENT:-}" "$PY" - > "$T/script" 2>&1
    status=$?
    facts_in "$T/script"
    [ $status -eq 0 ] || verdict 1 "the script came to its end"
}

# ---- the end ---------------------------------------------------------------------

# Is the process still one that we started? Its environment names our folder.
ours() { grep -q "$T" "/proc/$1/environ" 2> /dev/null; }

clean_up() {
    status=$?
    trap - EXIT
    trap '' PIPE # whoever read what we say may be gone
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        for log in "$T"/*.log; do
            [ -f "$log" ] || continue
            echo "${log##*/}:"
            tail -n 15 "$log"
        done | note
    fi
    for pid in $(cat "$T/pids"); do
        if ours "$pid"; then kill -TERM "$pid" 2> /dev/null; fi
    done
    until=$(($(date +%s) + 5))
    for pid in $(cat "$T/pids"); do
        while ours "$pid" && [ "$(date +%s)" -lt $until ]; do sleep 0.02; done
        if ours "$pid"; then kill -KILL "$pid" 2> /dev/null; fi
        wait "$pid" 2> /dev/null
    done
    # Sessions that go on belong to keepers, which name our folder too.
    for pid in $(ps -eo pid=,args= | awk -v t="$T/" '$3 == "keeper" && index($0, t) { print $1 }'); do
        kill -TERM "$pid" 2> /dev/null
    done
    if [ -n "${MOUNTED:-}" ]; then umount "$MOUNTED"; fi
    if [ -n "${GROUP:-}" ]; then # a control group; who is in it is ours
        for pid in $(cat "$GROUP/cgroup.procs"); do kill -KILL "$pid" 2> /dev/null; done
        wait_for 5 rmdir "$GROUP"
    fi
    if [ -n "${KEEP:-}" ]; then echo "# kept: $T"; else rm -rf "$T"; fi
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM HUP
