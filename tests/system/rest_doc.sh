# docs/REST.md is true: each of its examples, as it stands there, does what it says.
. tests/system/lib/test.sh
echo 'correct horse battery' > "$T/password"
relay && join box > "$T/box.join"
at relay "$CMDOP" server user add bob < "$T/password"

# One command a line: the indented ones that begin with curl.
sed -n '/^    curl /{:more
/\\$/{N
s/\\\n *//
b more
}
s/^ *//p
}' docs/REST.md > "$T/examples"
fact "there are examples" test "$(wc -l < "$T/examples")" -ge 18

# Around them what the document says to take: ids from the answers before.
cat > "$T/around" <<'END'
RELAY=http://127.0.0.1:$API
TOKEN=$("$CMDOP" server token make --label rest --expires 1h)
AUTH="Authorization: Bearer $TOKEN"
take() { "$PY" -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"; }
curl() { # the answer to a file, its status and its first words to people
    command curl -sS -o "$T/answer" -w '%{http_code}\n' "$@" > "$T/code"
    case $(cat "$T/code") in
    2??) echo "ok $(printf '%.90s' "$line")" ;;
    *) echo "not ok $(printf '%.90s' "$line")"; cat "$T/answer"; echo ;;
    esac
    case $line in
    *'$RELAY/api/fleets') FLEET=$(take "$T/answer" 'd["items"][0]["id"]') ;;
    */members) MEMBER=$(take "$T/answer" 'next(m["user_id"] for m in d["items"] if m["login"] == "bob")') ;;
    *presence*) MACHINE=$("$PY" -c 'import json, sys; print(json.load(open(sys.argv[1]))["machine_id"])' \
        "$T/box/state/cmdop/agent.json") ;;
    *Lab*) LAB=$(take "$T/answer" 'd["id"]') ;;
    *oauth/device*) DEVICE=$(take "$T/answer" 'd["device_code"]') CODE=$(take "$T/answer" 'd["user_code"]') ;;
    esac
}
while IFS= read -r line; do
    case $line in
    *oauth/token*) later=$line ;;
    *oauth/authorize*) eval "$line"; line=$later; eval "$line" ;; # a token comes when it is approved
    *) eval "$line" ;;
    esac
done < "$T/examples"
END
at relay env T="$T" CMDOP="$CMDOP" API="$API" PY="$PY" sh "$T/around" > "$T/told" 2>&1
is "all of them are run" "$(grep -c ok "$T/told")" "$(wc -l < "$T/examples")"
facts_in "$T/told"
finish
