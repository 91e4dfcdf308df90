# Signing in at our own relay, and what becomes of a running command when its token ends.
. tests/system/lib/test.sh
relay && machine box

# An owner's "yes" in the browser, said to the store; the pages have tests of their own.
approve() { # CODE
    "$PY" - "$SERVER/server.db" "$1" "$2" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
person, fleet = db.execute("SELECT person_id, fleet_id FROM member WHERE role = 'owner' OR role = 0 LIMIT 1").fetchone()
n = db.execute("UPDATE device SET state = ?, person_id = ?, fleet_id = ? WHERE replace(user_code, '-', '') = replace(?, '-', '')",
               (int(sys.argv[3]), person, fleet, sys.argv[2])).rowcount
db.commit()
assert n == 1, n
END
}
sql() { "$PY" -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
for row in db.execute(sys.argv[2]): print(*row)
db.commit()' "$SERVER/server.db" "$1"; }

login() { # PLACE STATE [OPTION...]: sign in there; the code is decided on; sets STATUS
    who=$1 state=$2
    shift 2
    spawn "$who" "$T/$who.login" "$CMDOP" login --server "${URL:-}" "$@"
    tool=$SPAWNED
    wait_for 10 has "$T/$who.login" '^  [A-Z]{4}-[A-Z]{4}$' || return 1
    approve "$(sed -n 's/^  \([A-Z]*-[A-Z]*\)$/\1/p' "$T/$who.login")" "$state" || return 1
    wait "$tool"
    STATUS=$?
}
URL=$(join_key | sed 's/#.*//')

login ann 1
is "a person signs in" "$STATUS $(grep -c '^signed in to ' "$T/ann.login")" '0 1'
run at ann "$CMDOP" auth status --json
is "and is who the relay says" "$STATUS $(json "$T/out" '[d["state"], d["token_kind"], d["role"], d["renewable"]]')" '0 ["good", "access", "owner", true]'
run at ann "$CMDOP" connect exec box -- echo yes
is "and may use a machine" "$STATUS $(cat "$T/out")" '0 yes'
login eve 2
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
at ann "$CMDOP" connect exec --id long box -- sh -c 'read a; echo "got $a"' < "$T/fifo.none" > "$T/long" 2>&1
mkfifo "$T/in"
spawn ann "$T/long.log" sh -c "exec '$CMDOP' connect exec --id long2 box -- sh -c 'read a; echo got \$a' < '$T/in'"
LONG=$SPAWNED
exec 3> "$T/in"
wait_for 10 sh -c "HOME='$T/relay' XDG_CONFIG_HOME='$T/relay/config' XDG_STATE_HOME='$T/relay/state' '$CMDOP' job list | grep -q long2"
end "$RELAY"
sql "UPDATE token SET expires_ms = 1000 WHERE kind IN ('access', 1)"
fact "the relay is away, and every token ends" relay
wait_for 30 online box
wait_for 30 has "$T/relay.log" 'event=operator|token|renew|.' 
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

# Stolen.
cp -a "$T/ann" "$T/thief"
signins ann token_expires=1000
signins thief token_expires=1000
run at thief "$CMDOP" connect --list
is "a thief gets in with a copy" "$STATUS" 0
run at ann "$CMDOP" connect --list
refused "the owner is told why, and what to do" 6 'is no longer good: .*; run: cmdop login$'
says "the relay noted it" "$T/relay.log" 'oauth.reused'
run at thief "$CMDOP" connect --list
refused "and the thief is out" 6 'cmdop login'

# Out.
login ann 1
is "one signs in anew" "$STATUS" 0
run at ann "$CMDOP" logout
is "and out, at the relay as well" "$STATUS $(grep -c 'the relay has ended the sign-in' "$T/out")" '0 1'
finish
