# What is listed can be asked about: each verb tells how it is used, whichever way one asks.
. tests/system/lib/test.sh
run at box "$CMDOP" help
is "the verbs are listed" "$STATUS" 0
sed -n 's/^  \([a-z]*\)  .*/\1/p' "$T/out" > "$T/verbs"
fact "many of them" test "$(wc -l < "$T/verbs")" -ge 18
while read -r verb; do
    run at box "$CMDOP" "$verb" --help
    cp "$T/out" "$T/help"
    is "$verb --help tells, with an example" "$STATUS $(grep -c '^usage: cmdop ' "$T/help") $(grep -c '^example' "$T/help")" '0 1 1'
    run at box "$CMDOP" help "$verb"
    fact "help $verb says the same" cmp "$T/out" "$T/help"
done < "$T/verbs"
run at box "$CMDOP" help dance
refused "no verb, no help" 2 'no verb .dance'
fact "nothing was made of it" test ! -e "$T/box/state"
finish
