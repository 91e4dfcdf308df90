# SIGTERM drains a relay: everybody is told, the store is closed whole, the exit status is 0.
. tests/system/lib/test.sh
relay && machine box

spawn relay "$T/long.log" "$CMDOP" connect exec box -- \
    sh -c 'echo begun; until [ -e "$HOME/go" ]; do sleep 0.1; done; echo over; exit 3'
LONG=$SPAWNED
wait_for 5 has "$T/long.log" begun
began=$(now_ms)
end "$RELAY"
is "the exit status is 0" "$STATUS" 0
fact "within five seconds" test $(($(now_ms) - began)) -lt 5000
says "the last line says so" "$T/relay.log" 'event=relay.stop'
fact "the machine was told" wait_for 5 has "$T/box.log" 'relay.drain'
fact "the store is closed: nothing is left in a log beside it" test ! -s "$SERVER/server.db-wal"
is "and it is whole" "$("$PY" -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("pragma integrity_check").fetchone()[0])' "$SERVER/server.db")" ok
relay
fact "started again it has the machine back" wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
is "and it takes commands" "$(exec_on box -- echo yes)" yes
touch "$T/box/go"
wait "$LONG"
is "a command under way went on" "$? $(tail -n 2 "$T/long.log" | tr '\n' ' ')" "3 begun over "

end "$RELAY" KILL
relay
fact "after a kill it starts as well" wait_for 20 has "$T/relay.log" 'machine.online msg="box"'
finish
