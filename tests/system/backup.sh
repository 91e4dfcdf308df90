# A relay's state goes into one file while the relay runs, and comes back: on the same machine or
# on another, as a whole or not at all.
. tests/system/lib/test.sh
relay
machine box
backup=$T/relay.backup

server_() { at relay "$CMDOP" server "$@"; }

run server_ backup "$backup"
is "a backup is made while the relay runs" "$STATUS" 0
is "nobody else may read it" "$(modes "$backup")" 600
is "and nothing is left beside it" "$(ls "$SERVER" | grep -c -e -copy -e -check -e restore)" 0
key_before=$(sum "$SERVER/relay.key")

run server_ restore "$backup"
refused "a running relay is not restored over" 1 'runs \(pid [0-9]+\)'
run server_ restore --force "$backup"
refused "not even by force" 1 'runs \(pid [0-9]+\)'

# What happens after the backup is gone after the restore; what happened before is there.
later=$(join_key --label later)
end "$RELAY"
run server_ restore "$backup"
refused "a folder with a relay in it is left alone" 1 'already.*--force'
is "and is as it was" "$(sum "$SERVER/relay.key")" "$key_before"
run server_ restore --force "$backup"
is "by force it is replaced" "$STATUS" 0
is "the key is the same" "$(sum "$SERVER/relay.key")" "$key_before"
is "what came after the backup is forgotten" "$(join_key --list | grep -c later)" 0
is "files keep their mode" "$(modes "$SERVER/relay.key" "$SERVER/server.db" | sort -u)" 600
relay
wait_for 20 online box
fact "the machine comes back by itself" online box
end "$RELAY"

# On another machine.
run at spare "$CMDOP" server restore "$backup"
is "another machine takes it" "$STATUS" 0
is "with the same key" "$(sum "$T/spare/state/cmdop/server/relay.key")" "$key_before"
is "and the same machines" "$(at spare "$CMDOP" server join-key --list | wc -l)" \
    "$(join_key --list | wc -l)"

# Bad files change nothing.
fresh=$T/fresh/state/cmdop/server
for cut in 0 7 20 100 5000; do
    head -c "$cut" "$backup" > "$T/bad"
    chmod 600 "$T/bad"
    run at fresh "$CMDOP" server restore "$T/bad"
    refused "the first $cut bytes are no backup" 1 'no backup of a relay'
done
"$PY" - "$backup" "$T/bad" <<'END'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[len(b) // 2] ^= 1
open(sys.argv[2], "wb").write(b)
END
run at fresh "$CMDOP" server restore "$T/bad"
refused "one changed bit is noticed" 1 'no backup of a relay'
"$PY" - "$backup" "$T/bad" <<'END'
import hashlib, sys
b = bytearray(open(sys.argv[1], "rb").read())[:-32]
b[11] = 2
open(sys.argv[2], "wb").write(b + hashlib.sha256(b).digest())
END
run at fresh "$CMDOP" server restore "$T/bad"
refused "a newer format is named" 1 'newer program'
chmod 644 "$backup"
run at fresh "$CMDOP" server restore "$backup"
refused "a backup that others may read is refused" 1 'other users may read'
chmod 600 "$backup"
run at fresh "$CMDOP" server restore "$T/none"
refused "a file that is not there is named" 1 'none'
fact "none of them left anything" test ! -e "$fresh/relay.key" -a ! -e "$fresh/server.db"

# A restore that was cut short is finished by whoever comes next.
run at fresh "$CMDOP" server backup "$T/x"
refused "there is nothing to back up" 1 'no relay was started here'
mkdir -p "$fresh"
chmod 700 "$fresh"
cp "$backup" "$fresh/server.restore"
chmod 600 "$fresh/server.restore"
echo stale > "$fresh/server.db-wal"
run at fresh "$CMDOP" server join-key --list
is "the next verb finishes it" "$STATUS" 0
is "with the same key" "$(sum "$fresh/relay.key")" "$key_before"
fact "and once only" test ! -e "$fresh/server.restore"

# Killed at any moment, a restore has happened or has not: the key is that of the one relay or of
# the other, and so is the store.
mkdir "$T/two"
run at two "$CMDOP" server restore "$backup"
at two "$CMDOP" server join-key --label second > /dev/null
rm "$T/two/state/cmdop/server/relay.key"
head -c 32 /dev/urandom > "$T/two/state/cmdop/server/relay.key"
chmod 600 "$T/two/state/cmdop/server/relay.key"
two=$T/two/state/cmdop/server
key_two=$(sum "$two/relay.key")
run at two "$CMDOP" server backup "$T/two.backup"
mixed=0 first=0 second=0
for i in $(seq 1 40); do
    from=$backup
    [ $((i % 2)) -eq 0 ] || from=$T/two.backup
    spawn two "$T/two.log" "$CMDOP" server restore --force "$from"
    sleep "0.0$((i % 20 + 10))"
    end "$SPAWNED" KILL
    labels=$(at two "$CMDOP" server join-key --list | grep -c second)
    case $(sum "$two/relay.key")/$labels in
    "$key_before/0") first=$((first + 1)) ;;
    "$key_two/1") second=$((second + 1)) ;;
    *) mixed=$((mixed + 1)) ;;
    esac
done
is "forty restores killed: none is half done" "$mixed" 0
fact "and both kinds were seen ($first, $second)" test "$first" -gt 0 -a "$second" -gt 0

run server_ backup
is "a file must be named" "$STATUS" 2
finish
