# With --local the agent of this machine does the same without a relay, for its own user only.
. tests/system/lib/test.sh
relay && machine box
end "$RELAY" KILL

here() { at box "$CMDOP" connect exec --local "$@"; }
run here box -- sh -c 'echo out; echo err >&2; exit 7'
is "a command runs while no relay is there" "$STATUS $(cat "$T/out") $(cat "$T/err")" '7 out err'
is "by host name" "$(here "$(uname -n)" -- echo yes)" yes
is "by id" "$(here "$(machine_id box)" -- echo yes)" yes
head -c 16777216 /dev/urandom > "$T/data"
is "16 MiB through cat come back the same" "$(here box -- cat < "$T/data" | sha256sum)" "$(sha256sum < "$T/data")"
run here other -- true
refused "another machine is not here" 255 'another machine.*--local'
if [ "$(id -u)" -eq 0 ]; then
    chmod 711 "$T" "$T/box" "$T/box/run" "$T/box/run/cmdop"
    cp "$CMDOP" "$T/box/cmdop"
    chmod 777 "$T/box/run/cmdop/agent.sock"
    run setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/ CMDOP_CONFIG_DIR="$T/box/config/cmdop" \
        CMDOP_STATE_DIR="$T/box/state/cmdop" CMDOP_RUNTIME_DIR="$T/box/run/cmdop" \
        "$T/box/cmdop" connect exec --local box -- id
    is "another user is refused, even if he reaches the socket" "$STATUS$(cat "$T/out")" 255
    says "and the agent says so" "$T/box.log" 'local.refused'
else
    pass_over "to be another user needs root"
fi
end "$AGENT"
run here box -- true
refused "without an agent it is one sentence with what to do" 255 'no agent.*agent start'
finish
