# The key of the sign-ins lives in a desktop's keyring, where there is one: first one of our own that
# keeps its items in a folder, then the real one of GNOME.
. tests/system/lib/test.sh
. tests/system/lib/signin.sh
control '{"device": ["ok"]}'
fact "the relay is ready" signin_relay

# What stands for libsecret's program. `away` makes it refuse, as with no keyring behind the bus.
mkdir "$T/bin" "$T/items"
cat > "$T/bin/secret-tool" <<END
#!/bin/sh
echo "\$*" >> "$T/asked"
if [ -e "$T/away" ]; then echo "secret-tool: no such name on the bus" >&2; exit 1; fi
for last; do :; done
item="$T/items/\$(echo "\$last" | tr / _)"
case \$1 in
store) cat > "\$item" ;;
lookup) [ -f "\$item" ] && cat "\$item" || exit 1 ;;
clear) rm -f "\$item" ;;
esac
END
chmod +x "$T/bin/secret-tool"
on_desktop() { at ann env PATH="$T/bin:$PATH" DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere "$@"; }
where() { sed 's/.*"key":"\([a-z]*\)".*/\1/' "$T/ann/config/cmdop/credentials.json"; }

touch "$T/away"
run on_desktop "$CMDOP" login --server "$SERVER_URL"
is "without a keyring behind the bus the key is in a file" "$STATUS $(where) $(wc -l < "$T/err")" '0 file 1'
says "and that is said" "$T/err" '^cmdop: note: .*stays in a file: the desktop keyring refused: secret-tool: no such name'
rm "$T/away" "$T/asked"
run on_desktop "$CMDOP" login --no-keyring
is "nor is it asked where it is not wanted" "$STATUS $(where) $(ls "$T/asked" 2> /dev/null)" '0 file '
run on_desktop "$CMDOP" login --json
is "a login moves the key there" "$STATUS $(where) $(ls "$T/items" | wc -l)" '0 keyring 1'
fact "and says so" json_is /dev/stdin 'd["key"] == "keyring"' <<END
$(tail -n 1 "$T/out")
END
fact "none is left in a file" test ! -e "$T/ann/state/cmdop/credentials.key"
is "no argument told it" "$(grep -Fc -f "$T"/items/* "$T/asked")" 0
run on_desktop "$CMDOP" connect --list --json
is "and it works" "$STATUS $(cat "$T/out")" '0 {"machines":[]}'
signins_by_key() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/system/lib "$PY" -c '
import base64, signins, sys
d = signins.read(sys.argv[1], "", base64.urlsafe_b64decode(open(sys.argv[2]).read() + "="))
print(d["servers"][0][sys.argv[3]])' "$T/ann/config/cmdop" "$T"/items/* "$1"; }

# A renewal writes the file, and asks the keyring once, to read.
control '{"device": ["ok"], "expires_in": 10}'
on_desktop "$CMDOP" login > "$T/out" # a token that is about to end
rm "$T/asked"
control '{}'
run on_desktop "$CMDOP" connect --list --json
is "a renewal is kept under the same key" "$STATUS $(cut -d' ' -f1 "$T/asked" | tr '\n' ' ')$(where)" '0 lookup keyring'
is "as the relay gave it" "$(signins_by_key token)" "$(sed -n 's/.*"got":"clitr_r\([0-9]*\)".*/cmdop_a\1/p' "$T/events" | tail -n 1)"

# A keyring that is closed, or somewhere else.
touch "$T/away"
run on_desktop "$CMDOP" connect --list
refused "a keyring that is closed is told, with the remedy" 255 'the desktop keyring refused: .*in the desktop session, or .*logout --all'
rm "$T/away"
run at ann "$CMDOP" auth list
refused "and where there is none too" 1 'no desktop keyring here'
mv "$T/items" "$T/items.else" && mkdir "$T/items"
run on_desktop "$CMDOP" auth list
refused "a keyring without the key as well" 1 'an item in the desktop keyring, is missing.*logout --all'
run at ann "$CMDOP" logout --all
is "the remedy works without it" "$STATUS" 0
rmdir "$T/items" && mv "$T/items.else" "$T/items"
control '{"device": ["ok"]}'
run on_desktop "$CMDOP" login --server "$SERVER_URL"
is "and one may sign in anew" "$STATUS $(where)" '0 keyring'
run on_desktop "$CMDOP" logout --all
is "whoever leaves takes the key along" "$STATUS $(ls "$T/items" | wc -l)" '0 0'

# The real one.
if [ -n "$(command -v gnome-keyring-daemon)" ] && [ -n "$(command -v dbus-run-session)" ] &&
    [ -x /usr/bin/secret-tool ]; then
    cat > "$T/session" <<END
printf password | gnome-keyring-daemon --foreground --unlock --components=secrets > /dev/null 2>&1 &
ring=\$!
for i in 1 2 3 4 5 6 7 8 9 10; do
    printf x | secret-tool store --label=probe service probe 2> "$T/ring" && break
    sleep 0.3
done
"$CMDOP" login --server "$SERVER_URL" --json > "$T/real.json" 2> "$T/real.err"
echo "login \$?"
"$CMDOP" connect --list --json
echo "list \$?"
"$CMDOP" logout --all
echo "logout \$?"
secret-tool lookup service cmdop folder "\$XDG_CONFIG_HOME/cmdop"
echo "item \$?"
kill \$ring
END
    run at real timeout 60 dbus-run-session -- sh "$T/session"
    if grep -q '"key":"keyring"' "$T/real.json"; then
        is "GNOME's keyring takes the key, gives it, and forgets it" "$(grep -E '^(login|list|logout|item) ' "$T/out" | tr '\n' ' ')" \
            'login 0 list 0 logout 0 item 1 '
    else
        pass_over "no keyring runs without a desktop here: $(tail -n 1 "$T/real.err")"
    fi
else
    pass_over "gnome-keyring, dbus-run-session and secret-tool (libsecret-tools) are not here"
fi
finish
