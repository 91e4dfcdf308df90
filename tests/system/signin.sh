# Signing in at our own relay, and what becomes of a running command when its token ends.
. tests/system/lib/test.sh
relay && machine box

echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role owner --email ada@h.example > "$T/out"

# She decides in a browser, on another machine.
decide() { # CODE approve | deny
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/system/lib "$PY" - "$API" "$SERVER/ca.pem" "$@" <<'END'
import sys
from browser import Browser
b = Browser(sys.argv[1], sys.argv[2])
b.sign_in("ada", "correct horse battery")
p = b.send(b.get("/device?user_code=" + sys.argv[3]), "/device", action=sys.argv[4])
assert p.status == 200, p.text
END
}
sql() { "$PY" -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
for row in db.execute(sys.argv[2]): print(*row)
db.commit()' "$SERVER/server.db" "$1"; }

login() { # PLACE approve | deny [OPTION...]: sign in there; the code is decided on; sets STATUS
    who=$1 word=$2
    shift 2
    spawn "$who" "$T/$who.login" "$CMDOP" login --server "${URL:-}" "$@"
    tool=$SPAWNED
    wait_for 10 has "$T/$who.login" '^  [A-Z]{4}-[A-Z]{4}$' || return 1
    decide "$(sed -n 's/^  \([A-Z]*-[A-Z]*\)$/\1/p' "$T/$who.login")" "$word" || return 1
    wait "$tool"
    STATUS=$?
}
URL=$(join_key | sed 's/#.*//')

login ann approve
is "a person signs in" "$STATUS $(grep -c '^signed in to ' "$T/ann.login")" '0 1'
run at ann "$CMDOP" auth status --json
is "and is who the relay says" "$STATUS $(json "$T/out" '[d["state"], d["token_kind"], d["role"], d["renewable"]]')" '0 ["good", "access", "owner", true]'
is "with the address there" "$(json "$T/out" 'd["email"]')" ada@h.example
sql "UPDATE person SET name = 'Ada L', email = '' WHERE login = 'ada'"
run at ann "$CMDOP" auth status --json
is "what changed is told at once, and what is gone is not told" "$STATUS $(json "$T/out" '[d["user"], d["email"]]')" '0 ["Ada L", ""]'
run at ann "$CMDOP" connect exec box -- echo yes
is "and may use a machine" "$STATUS $(cat "$T/out")" '0 yes'
login eve deny
is "or is refused" "$STATUS $(grep -c 'refused in the browser' "$T/eve.login")" '6 1'

# Renewed before a connection, by many.
signins ann token_expires=1000
before=$(signins ann refresh)
for i in 1 2 3 4; do
    (at ann "$CMDOP" connect exec box -- echo "$i" > "$T/many.$i" 2>&1) &
    many="${many:-} $!"
done
# shellcheck disable=SC2086
wait $many
is "four at once renew it once" "$(cat "$T"/many.* | sort | tr '\n' ' ')$(sql "SELECT count(*) FROM token WHERE kind IN ('refresh', 2)")" '1 2 3 4 2'
fact "the file has the new one" test "$(signins ann refresh)" != "$before"

# A running command, whose link ends after its token has.
mkfifo "$T/in"
spawn ann "$T/long.log" sh -c "exec '$CMDOP' connect exec --id long box -- sh -c 'read a; echo got \$a' < '$T/in'"
LONG=$SPAWNED
exec 3> "$T/in"
wait_for 10 sh -c "HOME='$T/relay' XDG_CONFIG_HOME='$T/relay/config' XDG_STATE_HOME='$T/relay/state' '$CMDOP' job list | grep -q long"
end "$RELAY"
sql "UPDATE token SET expires_ms = 1000 WHERE kind IN ('access', 1)"
fact "the relay is away, and every token ends" relay
wait_for 30 online box
echo hello >&3
exec 3>&-
wait "$LONG"
is "the tool renews and goes on" "$? $(cat "$T/long.log")" '0 got hello'
run at ann "$CMDOP" auth status --json
is "and the next one finds it good" "$STATUS $(json "$T/out" 'd["state"]')" '0 good'

# On a link in use.
signins ann token_expires=$(($(date +%s%3N) + 303000))
before=$(signins ann refresh)
run at ann "$CMDOP" connect exec box -- sleep 34
is "a command that runs on" "$STATUS" 0
fact "has renewed meanwhile" test "$(signins ann refresh)" != "$before"
run at ann "$CMDOP" connect exec box -- echo yes
is "for the next one" "$STATUS $(cat "$T/out")" '0 yes'

# Stolen: whoever comes with what the other has replaced ends it for both.
cp -a "$T/ann" "$T/thief"
signins ann token_expires=1000
signins thief token_expires=1000
run at thief "$CMDOP" connect --list
is "a thief gets in with a copy" "$STATUS" 0
run at ann "$CMDOP" connect --list
refused "until the owner comes, who is told why, and what to do" 6 'is no longer good: .*; run: cmdop login$'
says "the relay noticed" "$T/relay.log" 'oauth.reused'
run at thief "$CMDOP" connect --list
refused "and both are out" 6 'is no longer good: .*; run: cmdop login$|revoked'

# Out.
login ann approve
is "one signs in anew" "$STATUS" 0
run at ann "$CMDOP" logout
is "and out, at the relay as well" "$STATUS $(grep -c 'the relay has ended the sign-in' "$T/out")" '0 1'
finish
