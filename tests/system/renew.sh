# A sign-in is renewed in time, by one process at a time; what is stolen is noticed.
. tests/system/lib/test.sh
. tests/system/lib/signin.sh
control '{"device": ["ok"]}'
fact "the relay is ready" signin_relay
at ann "$CMDOP" login --server "$SERVER_URL" > "$T/out"

old() { signins "${1:-ann}" token_expires="${2:-1000}"; } # PLACE: its token has ended
list() { run at "${1:-ann}" "$CMDOP" connect --list --json; }

# In time.
: > "$T/events"
list
is "a good token is used as it is" "$STATUS $(events refresh)" '0 0'
old ann $(($(date +%s%3N) + 290000))
list
is "one that ends within five minutes is renewed first" "$STATUS $(cat "$T/out") $(events '"refresh":"clitr_r2"')" '0 {"machines":[]} 1'
is "as a guest, and then as oneself" "$(sed -n 's/.*"link":"\([a-z]*\)".*/\1/p' "$T/events" | tail -n 2 | tr '\n' ' ')" 'guest ann '
is "what came is kept" "$(signins ann refresh) $(signins ann token)" 'clitr_r3 cmdop_a3'
fact "with its time" test "$(signins ann token_expires)" -gt $(($(date +%s%3N) + 3500000))
list
is "and used from then on" "$STATUS $(events refresh)" '0 1'

# A clock that is off, or a relay that thinks otherwise: it is renewed when it is refused.
control '{"expires_in": 1}'
old
list
is "a relay may give short lives" "$STATUS" 0
sleep 1.2
old ann $(($(date +%s%3N) + 99999999999))
control '{}'
: > "$T/events"
list
is "what is refused is renewed once" "$STATUS $(events '"link":"refused"') $(events '"refresh"')" '0 1 1'

# Many at once.
: > "$T/events"
old
for i in 1 2 3 4 5 6 7 8; do
    (at ann "$CMDOP" connect --list --json > "$T/many.$i" 2>&1; echo $? >> "$T/many.$i") &
    many="${many:-} $!"
done
# shellcheck disable=SC2086
wait $many
is "eight at once all get in" "$(cat "$T"/many.* | sort | uniq -c | tr -s ' ' | tr '\n' ' ')" ' 8 0  8 {"machines":[]} '
is "one of them renewed for all" "$(events '"refresh"') $(events reuse)" '1 0'

# The answer is lost, or we are killed before we keep it: no harm.
: > "$T/events"
control '{"refresh": "drop-after"}'
before=$(signins ann refresh)
old
list
is "a lost answer is told" "$STATUS $(wc -l < "$T/err")" '255 1'
is "and changes nothing here" "$(signins ann refresh)" "$before"
control '{}'
list
is "the next one gets in" "$STATUS $(events reuse)" '0 0'
control '{"refresh": "hang"}'
for i in 1 2 3; do
    old
    seen=$(events '"refresh"')
    spawn ann "$T/ann.log" "$CMDOP" connect --list
    wait_for 10 sh -c "[ \$(grep -c '\"refresh\"' '$T/events') -gt $seen ]"
    end "$SPAWNED" KILL
done
control '{}'
list
is "killed between answer and save, three times: the next one gets in" "$STATUS $(events reuse)" '0 0'
control '{"refresh": "hang"}'
old
spawn ann "$T/ann.log" "$CMDOP" connect --list
first=$SPAWNED
wait_for 10 has "$T/events" '"got"'
sleep 0.5
control '{}'
run at ann "$CMDOP" connect --list --json
is "whoever waits for one that gets no answer goes on behind it" "$STATUS $(events reuse)" '0 0'
wait "$first"
is "and that one says so" "$? $(grep -c 'does not answer' "$T/ann.log")" '255 1'
control '{"refresh": "temporarily_unavailable"}'
old
list
refused "a relay that is busy is told" 255 'cannot be renewed: the relay is busy'
control '{}'
list
is "and later it works" "$STATUS $(events reuse)" '0 0'

# A running tool renews on its own link. (The relay's `until` is the tool's business only.)

# Stolen: whoever comes second ends it for both.
cp -a "$T/ann" "$T/thief"
: > "$T/events"
old
old thief
list thief
is "a thief gets in with a copy" "$STATUS" 0
list
refused "the owner is told why, and what to do" 6 '^cmdop: the sign-in at 127.0.0.1 is no longer good: the refresh token was used twice.*; run: cmdop login$'
is "the relay noticed" "$(events reuse)" 1
list
refused "again" 6 'was revoked.*; run: cmdop login$'
old thief
list thief
refused "the thief is out" 6 'was revoked'
control '{"device": ["ok"]}'
run at ann "$CMDOP" login
is "the owner signs in anew" "$STATUS" 0
list
is "and is in" "$STATUS" 0

# Signed out meanwhile, by another process.
old
at ann "$CMDOP" logout > "$T/out"
list
refused "who signed out is out" 255 'not signed in.*cmdop login'

# A disk that takes nothing: not used, so nothing is lost.
at ann "$CMDOP" login --server "$SERVER_URL" > "$T/out"
if [ "$(id -u)" = 0 ] && mkdir -p "$T/full" && cp -a "$T/ann/config/." "$T/full/" &&
    mount -t tmpfs -o size=64k,mode=700 none "$T/ann/config" 2> /dev/null; then
    MOUNTED=$T/ann/config
    cp -a "$T/full/." "$T/ann/config/"
    old
    head -c 65536 /dev/zero > "$T/ann/config/fill" 2> /dev/null
    before=$(signins ann refresh)
    : > "$T/events"
    list
    refused "a full disk is told" 255 'cannot be renewed: .*No space'
    is "the old one stands" "$(signins ann refresh)" "$before"
    rm "$T/ann/config/fill"
    list
    is "with room it works, and is no theft" "$STATUS $(events reuse)" '0 0'
else
    pass_over "a full disk needs root and mount"
fi
finish
