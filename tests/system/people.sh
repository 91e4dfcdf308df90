# People sign in at the relay's pages: a password, a second factor, a device's code; what is
# wrong, foreign, guessed, too long or from another site is refused in a sentence.
. tests/system/lib/test.sh

run at relay "$CMDOP" server user list
refused "without a relay there are no accounts" 1 'run `cmdop server` first|server'
echo 'the owner has a long one' > "$T/first"
chmod 600 "$T/first"
relay --initial-admin-password-file "$T/first"
says "the relay tells where to sign in" "$T/relay.log" '^  sign in    http://localhost:[0-9]+/signin$'

echo 'correct horse battery' > "$T/password"
user() { at relay "$CMDOP" server user "$@"; }
run user add ada --role admin --email ada@h.example < "$T/password"
is "an account is made beside the running relay" "$STATUS" 0
echo 'short' > "$T/short"
run user add bob < "$T/short"
refused "a short password is refused" 1 'at least 12'
run user add ada < "$T/password"
refused "a login is used once" 1 'taken'
run user add 'b ob' < "$T/password"
refused "a login has no blanks" 1 'login'
run user add bob --role king < "$T/password"
refused "a role is one of four" 1 'owner, admin, member or viewer'
run user add bob --email bob < "$T/password"
refused "an e-mail address is one" 1 'e-mail address'
run user add bob < /dev/null
refused "no password is no password" 1 'password'
fact "another account is made" user add bob --role viewer < "$T/password"
run user list
fact "accounts are listed, with what is wrong" has "$T/out" '^ada +active +no +ada@h.example$'
run user list --json
is "and as JSON" "$(json "$T/out" 'sorted((p["login"], p["has_password"]) for p in d["users"])[:2]')" \
    '[["ada", true], ["bob", true]]'
run user list --jsonl
fact "or as one object for each" has "$T/out" '^\{"id":.*"login":"ada".*"has_password":true.*\}$'
run user add eve --json < "$T/password"
is "only a list has an answer in JSON" "$STATUS $(grep -c 'only `list`' "$T/err")" '2 1'
is "no password is anywhere in the state folder" "$(grep -rlE 'correct horse|the owner has' "$SERVER" | wc -l)" 0

script <<'EOS'
import json, re, time
from facts import *
from browser import *
from mesh import Store
api, ca = os.environ["API"], T + "/relay/state/cmdop/server/ca.pem"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
new = lambda: Browser(api, ca)

# ---- the page, and what protects it
b = new()
p = b.get("/signin")
h = p.headers
fact("the page is HTML without script", "<script" not in p.text and h["Content-Type"].startswith("text/html"))
fact("no script would run in it", "default-src 'none'" in h["Content-Security-Policy"] and
     "frame-ancestors 'none'" in h["Content-Security-Policy"], h)
fact("its fields have labels", all(f'<label for="{n}"' in p.text for n in ("login", "password")))
fact("a cookie over TLS is for this host and strict", "__Host-cmdop=" in b.strict[0] and
     all(w in b.strict[0] for w in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/")), b.strict)
plain = Browser(api)
plain.get("/signin")
fact("a plain one is not called so", plain.strict[0].startswith("cmdop=") and "Secure" not in plain.strict[0], plain.strict)
s = b.get("/style.css")
fact("the style sheet is ours", s.status == 200 and s.headers["Content-Type"].startswith("text/css"))
fact("who is not signed in is sent to sign in", b.get("/account", follow=False).headers["Location"] == "/signin?next=%2faccount",
     b.get("/account", follow=False).headers["Location"])

# ---- passwords
visitor = b.cookies["__Host-cmdop"]
p = b.sign_in("ada", "not the password at all")
fact("a wrong password is refused", p.status == 403 and p.says("not right"), p.text)
wrong = p.text
p = b.sign_in("nobody", "not the password at all")
fact("a login that nobody has is answered alike", p.status == 403 and
     re.sub(r'value="[^"]*"', "", p.text) == re.sub(r'value="[^"]*"', "", wrong), p.text)
p = b.sign_in("ada", "correct horse battery")
fact("the right one signs in", p.status == 200 and p.says("Your account") and p.says("ada@h.example"), p.status, p.text)
session = b.cookies["__Host-cmdop"]
fact("the session has another secret than the visitor", session != visitor)
owner = new()
fact("the owner has the password of the file", owner.sign_in(os.environ.get("USER") or "root", "the owner has a long one").says("Your account"))
fact("nothing of it is in the log", not any(w in open(T + "/relay.log").read() for w in (session, "correct horse", visitor)))

# ---- other sites
account = b.get("/account")
form = account.form("/account/password")
good = {**form, "old": "correct horse battery", "password": "another long one", "again": "another long one"}
foreign = (("another site", {"Origin": "https://evil.example"}),
           ("nowhere", {"Origin": None}),
           ("a sandbox", {"Origin": "null"}),
           ("another site, by its own word", {"Sec_Fetch_Site": "cross-site"}),
           ("the same site's other host", {"Sec_Fetch_Site": "same-site"}))
for name, headers in foreign:
    fact("a form from " + name + " changes nothing", b.post("/account/password", good, **headers).status == 403)
fact("nor one without its token", b.post("/account/password", {**good, "form": ""}).status == 403)
fact("nor one with another's token", b.post("/account/password", {**good, "form": owner.get("/account").form("/account/password")["form"]}).status == 403)
two = b.ask("GET", "/account", headers={"Cookie": f"__Host-cmdop={session}; __Host-cmdop=x"})
fact("a cookie that comes twice is none", two.status == 303)
fact("a session is no bearer token", b.json("GET", "/api/fleets", token=session)[0] == 401)
fact("nothing changes by GET", b.get("/signout").status == 200 and b.get("/account").says("Your account"))

# ---- devices
def device(**more):
    return b.json("POST", "/api/system/oauth/device/", {"client_name": "a tool", **more})[1]
def token(code):
    return b.json("POST", "/api/system/oauth/token/", {"grant_type": GRANT, "device_code": code})
d = device(client_hostname="<b>box</b>", client_platform="linux \x1b[31m")
p = b.get("/device?user_code=" + d["user_code"])
fact("the page tells what asks, as text", p.says("a tool") and "&lt;b&gt;box" in p.text and "\x1b" not in p.text, p.text)
fact("it waits for a person", token(d["device_code"])[1]["error"] == "authorization_pending")
p = b.send(p, "/device", action="approve")
fact("a person approves", p.says("The device is signed in"), p.text)
time.sleep(5)
s, t = token(d["device_code"])
fact("and the device has its tokens", s == 200 and t["access_token"].startswith("cmdop_") and t["user_email"] == "ada@h.example", t)
fact("once", token(d["device_code"])[1].get("error") in ("invalid_grant", "slow_down"))
d = device()
p = b.send(b.get("/device?user_code=" + d["user_code"].lower().replace("-", " ").replace(" ", "+")), "/device", action="deny")
fact("a person denies; letters may be small", p.says("told no") and token(d["device_code"])[1]["error"] == "access_denied", p.text)
fact("a code is decided once", b.get("/device?user_code=" + d["user_code"]).says("before"))
guest = new()
fact("who is not signed in sees no device", guest.get("/device?user_code=" + device()["user_code"], follow=False).status == 303)
p = guest.get("/device?user_code=" + d["user_code"])
p = guest.send(p, "/signin", login="ada", password="correct horse battery")
fact("and comes back to it behind the sign-in", p.says("before") or p.says("Let this device in"), p.text)
fact("but never to another site", new().get("/signin?next=https://evil.example/").form("/signin")["next"] == "/account" and
     new().get("/signin?next=//evil.example/").form("/signin")["next"] == "/account")

# ---- a second factor
def secret_of(page):
    return re.search(r"<dt>Secret</dt><dd><code>([A-Z2-7 ]+)</code>", page.text)[1]
p = b.send(b.get("/account"), "/account/totp", **{"factor-password": "wrong wrong wrong"})
fact("to set one up asks for the password", p.status == 403 and p.says("not right") and "otpauth" not in p.text, p.text)
p = b.send(b.get("/account"), "/account/totp", **{"factor-password": "correct horse battery"})
secret = secret_of(p)
fact("its secret is told as text and as a link", "otpauth://totp/cmdop:ada?secret=" + secret.replace(" ", "") in html.unescape(p.text), p.text)
p = b.send(p, "/account/totp/confirm", code="000000")
fact("a wrong code does not turn it on", p.status == 403 and secret_of(p) == secret)
p = b.send(p, "/account/totp/confirm", code=totp(secret))
codes = re.findall(r"<li><code>([A-Z2-7-]+)</code>", p.text)
fact("the right one does, and backup codes are shown once", len(codes) == 8 and not re.search(codes[0], b.get("/account").text), p.text)
c = new()
p = c.sign_in("ada", "correct horse battery")
fact("the password alone is not enough now", p.says("Second factor") and c.get("/account", follow=False).status == 303)
p = c.send(p, "/signin/code", code=totp(secret))
fact("a code that was used before is refused", p.status == 403 and p.says("used before"), p.text)
p = c.send(p, "/signin/code", code=codes[0].lower())
fact("a backup code is taken", p.says("Your account"), p.text)
c = new()
p = c.send(c.sign_in("ada", "correct horse battery"), "/signin/code", code=codes[0])
fact("once", p.status == 403, p.text)
p = c.send(p, "/signin/code", code=totp(secret, time.time() + 30))
fact("the next code is taken", p.says("Your account"), p.text)
stolen = dict(c.cookies)

# ---- what is signed in
p = b.get("/account")
fact("sign-ins are listed", p.says("a tool") and p.says("this one"), p.text)
rows = p.forms()["/account/revoke"]
fact("all of them", len(rows) >= 3, rows)
x = owner.post("/account/revoke", {**owner.get("/account").form("/account/revoke"), "id": rows[0]["id"]})
fact("nobody ends another's", x.status == 404, x.text)
p = b.send(b.get("/account"), "/account/password", old="correct horse battery", password="a new long password", again="different from it")
fact("two different passwords are none", p.status == 403 and p.says("not the same"))
p = b.send(b.get("/account"), "/account/password", old="wrong wrong wrong", password="a new long password", again="a new long password")
fact("the old one is asked for", p.status == 403 and p.says("not right"), p.text)
half = new()
half_page = half.sign_in("ada", "correct horse battery")
late = device()
b.send(b.get("/device?user_code=" + late["user_code"]), "/device", action="approve")
p = b.send(b.get("/account"), "/account/password", old="correct horse battery", password="a new long password", again="a new long password")
fact("a password is changed", p.says("was changed"), p.text)
fact("other browsers are out", c.get("/account", follow=False).status == 303)
fact("and so are devices", b.json("GET", "/api/fleets", token=t["access_token"])[0] == 401)
fact("a device that was approved before and comes now is not let in", token(late["device_code"])[1].get("error") == "access_denied")
q = half.send(half_page, "/signin/code", code=codes[2])
fact("nor is who gave the old password and owes a code", half_page.says("Second factor") and q.status == 403 and
     half.get("/account", follow=False).status == 303, q.text)
fact("this one stays", b.get("/account").says("Your account"))
try:
    fact("of its secret the relay's memory keeps nothing", wait_for(lambda: not holds(int(os.environ["RELAY"]), session.encode())))
except OSError as e:
    print("ok its memory # SKIP", e)
p = b.get("/account")
fact("name and address stand in the page", [f.get("name", f.get("email")) for f in p.forms()["/account/person"]] == ["ada", "ada@h.example"], p.text)
p = b.send(p, "/account/person", name="Ada <i>L</i>")
fact("a name is changed", p.says("was changed") and "<dd>Ada &lt;i&gt;L&lt;/i&gt;</dd>" in p.text, p.text)
fact("to one that is one", b.send(p, "/account/person", name="").says("1 to 63") and b.send(p, "/account/person", name="x" * 70).says("1 to 63"))
for name, headers in foreign:
    fact("but not by a form from " + name, b.post("/account/person", {**p.form("/account/person"), "name": "Eve"}, **headers).status == 403)
fact("nor without its token", b.post("/account/person", {"name": "Eve"}).status == 403 and not b.get("/account").says("Eve"))
q = b.send(p, "/account/person", 1, email="ada@new.example")
fact("an address asks for the password", q.status == 403 and q.says("not right") and q.says("ada@h.example"), q.text)
q = b.send(p, "/account/person", 1, email="ada.new.example", **{"email-password": "a new long password"})
fact("and is an address", q.status == 403 and q.says("has an @"), q.text)
q = b.send(p, "/account/person", 1, email="ADA@new.example", **{"email-password": "a new long password"})
fact("with it, it is changed", q.says("was changed") and q.says("ada@new.example"), q.text)
q = owner.send(owner.get("/account"), "/account/person", 1, email="ada@new.example", **{"email-password": "the owner has a long one"})
fact("for others it is taken", q.status == 403 and q.says("Another account has this"), q.text)
fact("what was signed in stays so", b.get("/account").says("Your account"))
store = Store()
me, here = store.do("select p.id, m.fleet_id from person p join member m on m.person_id = p.id where p.login = 'ada'")[0]
for _ in range(30):
    i = store.token(here, me, 3)[1]
    store.do("update token set client_name = ?1, client_host = ?1, client_platform = ?1, address = ?1 where id = ?2", '"' * 47, i)
p = b.get("/account")
fact("a page has as many sign-ins as it holds, and the rest of it", p.status == 200 and p.says("There are more") and
     "/account/totp/off" in p.text and p.text.rstrip().endswith("</html>"), p.status, p.text)
store.do("delete from token where client_host = ?", '"' * 47)
p = b.send(b.get("/account"), "/account/totp/off", **{"factor-password": "a new long password"})
fact("the second factor is turned off with the password", p.says("is off"), p.text)
p = b.send(b.get("/signout"), "/signout")
fact("signed out", p.says("Sign in") and not b.cookies.get("__Host-cmdop", "").startswith(session))
b.cookies = {"__Host-cmdop": session}
fact("and the secret is worth nothing", b.get("/account", follow=False).status == 303)

# ---- invitations
d = device()
o = owner
p = o.send(o.get("/device?user_code=" + d["user_code"]), "/device", action="approve")
time.sleep(5)
s, t = token(d["device_code"])
fleet = t["workspace_id"]
s, i = b.json("POST", f"/api/fleets/{fleet}/invitations", {"email": "eve@h.example", "role": "member"}, token=t["access_token"])
fact("an owner invites", s == 201 and len(i["code"]) == 32, i)
e = new()
p = e.send(e.get("/invite"), "/invite", code="A" * 32)
fact("a code that is none is refused", p.status == 404)
p = e.send(p, "/invite", code=i["code"].lower())
fact("the right one tells of the fleet", p.says("home") and p.says("eve@h.example"), p.text)
p = e.send(p, "/invite/account", login="bob", name="Eve", password="eves long password")
fact("a login that is taken is told", p.status == 422 and p.says("taken"), p.text)
p = e.send(p, "/invite/account", login="eve", name="Eve", password="eves long password")
fact("an account is made, and signed in", p.says("Your account") and p.says("eve"), p.text)
p = new()
p = p.send(p.get("/invite"), "/invite", code=i["code"])
fact("an invitation is used once", p.status == 404 and p.says("used before"), p.text)

invite = lambda: b.json("POST", f"/api/fleets/{fleet}/invitations", {"email": "kim@h.example", "role": "viewer"}, token=t["access_token"])[1]
states = lambda: {x["id"]: x["state"] for x in b.json("GET", f"/api/fleets/{fleet}/invitations", token=t["access_token"])[1]["items"]}
i, k = invite(), new()
page = k.send(k.get("/invite"), "/invite", code=i["code"])
form = page.form("/invite/decline")
for name, headers in foreign:
    fact("a form from " + name + " declines nothing", k.post("/invite/decline", form, **headers).status == 403)
fact("nor does one without its token", k.post("/invite/decline", {**form, "form": ""}).status == 403 and states()[i["id"]] == "pending")
p = k.post("/invite/decline", {**form, "code": "A" * 32})
fact("nor one with a code that is none", p.status == 404 and states()[i["id"]] == "pending", p.text)
p = k.send(page, "/invite/decline")
fact("an invitation is declined without an account", p.status == 200 and p.says("declined the invitation to"), p.text)
fact("and stands so in the list", states()[i["id"]] == "declined", states())
p = k.send(page, "/invite/account", login="kim", name="Kim", password="kims long password")
fact("nobody comes in by it any more", p.status == 404 and p.says("was declined"), p.text)
i = invite()
page = e.send(e.get("/invite"), "/invite", code=i["code"])
fact("who is signed in has both buttons", {"/invite/accept", "/invite/decline"} <= set(page.forms()), page.text)
p = e.send(page, "/invite/decline")
fact("and declines as well", p.says("declined the invitation to") and states()[i["id"]] == "declined", p.text)

# ---- nonsense
for name, path, body, ctype, wanted in (
        ("a body of 1 MiB", "/signin", b"login=" + b"a" * (1 << 20), "application/x-www-form-urlencoded", 413),
        ("a name of 16 KiB", "/signin", b"login=" + b"a" * 16000 + b"&password=x", "application/x-www-form-urlencoded", 403),
        ("a name that comes twice", "/api/system/oauth/token", b"grant_type=refresh_token&refresh_token=a&refresh_token=b", "application/x-www-form-urlencoded", 400),
        ("half an object", "/api/system/oauth/token", b'{"grant_type":', "application/json", 400),
        ("an object with a name twice", "/api/system/oauth/token", b'{"grant_type":"refresh_token","grant_type":"x"}', "application/json", 400),
        ("text", "/api/system/oauth/device", b"hello", "text/plain", 400)):
    f = new()
    f.get("/signin")
    try:
        r = f.ask("POST", path, body, {"Content-Type": ctype, "Origin": f.origin})
        fact(name + " is refused", r.status == wanted, r.status, r.text)
    except (OSError, http.client.HTTPException) as err:
        fact(name + " is refused", wanted == 413, repr(err))
fact("a path that wants something else says what", new().ask("PUT", "/signin").headers["Allow"] == "GET, HEAD, POST")
fact("a host name that points here is not us", Browser(api).ask("GET", "/signin", headers={"Host": "evil.example"}).status == 421)

# ---- guessing comes last: this address waits from then on
bob = new()
bob.source = "127.0.0.2"
bob.sign_in("bob", "correct horse battery")
waits = None
for i in range(12):
    if i == 3:
        p = bob.send(bob.get("/device?user_code=" + device()["user_code"]), "/device", action="deny")
        fact("a code of one's own is denied between guesses", p.says("told no"), p.text)
    p = bob.get("/device?user_code=BCDF-GH" + "BCDFGHJKLMNP"[i] + "Z")
    if p.status == 429:
        waits = int(p.headers["Retry-After"])
        break
fact("guessed user codes wait from the fifth on, whatever comes between", i == 5 and waits >= 1, i, p.status)
g = new()
g.source = bob.source
for i in range(12):
    p = g.sign_in("bob", "guess number %d, long" % i)
    if p.status == 429:
        break
fact("guessed passwords wait from the fifth on", i == 5 and p.says("Wait"), i, p.status)
fact("even the right one waits", g.sign_in("bob", "correct horse battery").status == 429)
def until_it_waits(*logins):
    """How many guesses, each from another address, an account took before one had to wait."""
    said = []
    while len(said) < 20 and 429 not in said:
        f = new()
        f.source = "127.0.1.%d" % next(places)
        said.append(f.sign_in(logins[len(said) % len(logins)], "guess number %d, long" % len(said)).status)
    return len(said), set(said)
places = iter(range(1, 200))
somebody, anybody = until_it_waits("eve"), until_it_waits("nobody-here", "NoBody-Here")
fact("an account that is guessed at from many addresses waits", somebody[0] in range(6, 20) and somebody[1] == {403, 429}, somebody)
fact("and one that is not here waits as well, or that would tell", anybody[0] in range(6, 20) and anybody[1] == {403, 429}, anybody)
EOS
run user disable bob
is "an account is shut out" "$STATUS" 0
run user list
fact "and listed so" has "$T/out" '^bob +disabled'
run user disable "$(id -un)"
refused "the last owner stays" 1 'without an owner'
run user password bob < "$T/password"
is "a password is set anew" "$STATUS" 0
fact "the relay lives" alive "$RELAY"
finish
