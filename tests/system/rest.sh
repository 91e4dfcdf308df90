# Fleets, members, invitations, API keys and machines over REST: what is there, who may, what is
# another fleet's, and lists by cursor.
. tests/system/lib/test.sh
echo 'the owner has a long one' > "$T/first"
chmod 600 "$T/first"
relay --initial-admin-password-file "$T/first" && machine box && machine bay
for who in ada:admin mia:member vic:viewer; do
    echo 'correct horse battery' | at relay "$CMDOP" server user add "${who%:*}" --role "${who#*:}"
done

script <<'EOS'
import base64, json, subprocess, uuid
from facts import *
from browser import *
from mesh import *
api, ca = os.environ["API"], T + "/relay/state/cmdop/server/ca.pem"
b = Browser(api, ca)


def person(login, password="correct horse battery"):
    """A token of that person, by the device flow."""
    d = b.json("POST", "/api/system/oauth/device/", {})[1]
    p = Browser(api, ca)
    page = p.sign_in(login, password, "/signin?next=/device?user_code=" + d["user_code"])
    p.send(page, "/device", action="approve")
    s, t = b.json("POST", "/api/system/oauth/token/", {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": d["device_code"]})
    return lambda method, path, body=None: b.json(method, path, body, token=t["access_token"])


owner = person(os.environ.get("USER") or "root", "the owner has a long one")
ada, mia, vic = person("ada"), person("mia"), person("vic")
s, d = owner("GET", "/api/fleets")
fleet = d["items"][0]["id"]
F = "/api/fleets/" + fleet
fact("a person's fleets are listed", s == 200 and d["items"][0]["role"] == "owner" and not d["has_more"], d)

# ---- machines
s, d = ada("GET", "/api/machines")
names = [m["name"] for m in d["items"]]
fact("machines are listed", names == ["bay", "box"] and all(m["online"] and m["state"] == "active" for m in d["items"]), d)
box = next(m["id"] for m in d["items"] if m["name"] == "box")
s, one = ada("GET", "/api/machines?limit=1")
s, two = ada("GET", "/api/machines?limit=1&cursor=" + one["next_cursor"])
fact("by cursor, too", [one["items"][0]["name"], two["items"][0]["name"]] == ["bay", "box"] and one["has_more"] and
     not two["has_more"] and two["next_cursor"] is None, one, two)
bay = one["items"][0]["id"]
store = Store()
hidden = store.do("select id from person where login = 'mia'")[0][0]
store.do("insert into machine_access (fleet_id, machine_id, person_id, access) values (?, ?, ?, 3)", fleet, bay, hidden)
store.tell()
wait_for(lambda: mia("GET", "/api/machines?limit=1")[1]["items"] == [])
s, d = mia("GET", "/api/machines?limit=1")
raw = base64.urlsafe_b64decode(d["next_cursor"] + "==")
fact("a machine that is hidden is not told by the cursor behind it", d["items"] == [] and d["has_more"] and
     b"bay" not in raw and bay.encode() not in raw, d, raw)
s, d = mia("GET", "/api/machines?cursor=" + d["next_cursor"])
fact("which leads to the next one", [m["name"] for m in d["items"]] == ["box"] and not d["has_more"], d)
fact("in this list only", mia("GET", F + "/members?cursor=" + one["next_cursor"])[0] == 400 and
     mia("GET", "/api/fleets?cursor=" + one["next_cursor"])[0] == 400)
other = "AB"[one["next_cursor"][-9] == "A"]
fact("and is none with another letter", ada("GET", "/api/machines?cursor=" + one["next_cursor"][:-9] + other + one["next_cursor"][-8:])[0] == 400)
store.do("delete from machine_access")
store.tell()
fact("with a filter", [m["name"] for m in ada("GET", "/api/machines?q=bo&presence=online")[1]["items"]] == ["box"])
fact("a cursor that is none is refused", ada("GET", "/api/machines?cursor=!!")[0] == 400)
fact("and a limit that is none", ada("GET", "/api/machines?limit=0")[0] == 400)
fact("one machine is shown", ada("GET", "/api/machines/" + box)[1]["public_key_fingerprint"].startswith("SHA256:"))
fact("one that is nobody's is not there", ada("GET", "/api/machines/11111111-1111-4111-8111-111111111111")[0] == 404)
fact("a member does not rename it", mia("PATCH", "/api/machines/" + box, {"name": "mine"})[0] == 403)
s, d = ada("PATCH", "/api/machines/" + box, {"name": "web-1"})
fact("an admin does", s == 200 and d["name"] == "web-1", s, d)
A = "/api/machines/" + box + "/access"
people = {m["login"]: m["user_id"] for m in ada("GET", F + "/members")[1]["items"]}
access = lambda login, word, by=ada: by("PUT", A + "/" + people[login], {"access": word})
listed = lambda by: [(r["login"], r["access"]) for r in by("GET", A)[1]["items"]]
fact("a member does not say who may do what with it", access("vic", "full", mia)[0] == 403)
s, d = access("mia", "execute")
fact("an admin does", s == 200 and d == {"machine_id": box, "user_id": people["mia"], "login": "mia", "access": "execute"}, s, d)
fact("it is listed, for who is bound too", listed(ada) == listed(mia) == [("mia", "execute")] and listed(vic) == [], listed(mia))
fact("owners and admins are not bound", access("ada", "view")[0] == 409)
fact("words that are none are refused", access("mia", "everything")[0] == 422 and ada("PUT", A + "/" + people["mia"], {})[0] == 422)
fact("somebody who is no member is not there", ada("PUT", A + "/" + str(uuid.uuid4()), {"access": "view"})[0] == 404 and
     ada("PUT", A.replace(box, str(uuid.uuid4())) + "/" + people["mia"], {"access": "view"})[0] == 404)
fact("what is hidden is not there", access("mia", "hidden")[0] == 200 and mia("GET", "/api/machines/" + box)[0] == 404 and
     [m["name"] for m in mia("GET", "/api/machines")[1]["items"]] == ["bay"] and listed(mia) == [] and listed(ada) == [("mia", "hidden")])
access("vic", "hidden")
s, one = ada("GET", A + "?limit=1")
s, two = ada("GET", A + "?limit=1&cursor=" + one["next_cursor"])
fact("by cursor, too", {r["login"] for r in one["items"] + two["items"]} == {"mia", "vic"} and not two["has_more"], one, two)
fact("full is the end of it", access("mia", "full")[0] == access("vic", "full")[0] == 200 and listed(ada) == [] and
     mia("GET", "/api/machines/" + box)[0] == 200)
fact("names are bounded", ada("PATCH", "/api/machines/" + box, {"name": "x" * 5000})[0] == 422)
blank = [who(m, p, {**more, "name": n}) for n in ("", "   ") for who, m, p, more in (
    (ada, "PATCH", "/api/machines/" + box, {}), (owner, "PATCH", F, {}), (ada, "POST", "/api/fleets", {}),
    (ada, "POST", F + "/api-keys", {"scopes": ["machines:read"]}))]
fact("a name of nothing but blanks is none", all(s == 422 and "blanks" in d["detail"] for s, d in blank), blank)

# ---- members
s, d = vic("GET", F + "/members")
who = {m["login"]: m["user_id"] for m in d["items"]}
fact("a viewer sees who is there", s == 200 and {"ada", "mia", "vic"} <= set(who), d)
fact("and changes nothing", vic("PATCH", F + "/members/" + who["vic"], {"role": "owner"})[0] == 403)
fact("an admin makes nobody an owner", ada("PATCH", F + "/members/" + who["mia"], {"role": "owner"})[0] == 403)
root = next(m["user_id"] for m in d["items"] if m["role"] == "owner")
fact("nor takes an owner's role away", ada("PATCH", F + "/members/" + root, {"role": "viewer"})[0] == 403 and
     ada("DELETE", F + "/members/" + root)[0] == 403)
s, d = ada("PATCH", F + "/members/" + who["vic"], {"role": "member"})
fact("an admin makes a viewer a member", s == 200 and d["role"] == "member", s, d)
fact("the answer tells what the list does", d in ada("GET", F + "/members")[1]["items"], d)
again = [ada("POST", F + "/members", {"login": "vic", "role": r}) for r in ("member", "viewer")]
fact("who is a member already is not added once more", [s for s, d in again] == [200, 200] and again[0][1] == d, again, d)
fact("but has the role that was asked for", again[1][1]["role"] == "viewer" and again[1][1] in ada("GET", F + "/members")[1]["items"], again)
fact("nor does an owner become less by it", ada("POST", F + "/members", {"login": owner("GET", "/api/me")[1]["login"], "role": "viewer"})[0] == 403)
fact("the last owner stays one", owner("PATCH", F + "/members/" + root, {"role": "admin"})[0] == 409)
fact("a role is one of four", ada("PATCH", F + "/members/" + who["vic"], {"role": "king"})[0] == 422)
fact("a member removes nobody else", mia("DELETE", F + "/members/" + who["vic"])[0] == 403)
fact("but may leave", vic("DELETE", F + "/members/" + who["vic"])[0] == 204)
fact("and is out at once", vic("GET", "/api/fleets")[0] == 401)
s, d = ada("POST", F + "/members", {"login": "vic", "role": "viewer"})
fact("who was a member is added anew", s == 201 and (d["login"], d["role"]) == ("vic", "viewer"), s, d)

# ---- invitations
s, i = ada("POST", F + "/invitations", {"email": "eve@h.example", "role": "viewer", "expires_in_days": 1})
fact("an admin invites", s == 201 and len(i["code"]) == 32 and i["state"] == "pending", i)
s, d = ada("GET", F + "/invitations")
fact("the list does not tell the code", s == 200 and "code" not in d["items"][0] and d["items"][0]["email"] == "eve@h.example", d)
fact("a member does not invite", mia("POST", F + "/invitations", {"email": "x@h.example", "role": "viewer"})[0] == 403)
fact("nobody is invited as an owner", owner("POST", F + "/invitations", {"email": "x@h.example", "role": "owner"})[0] == 422)
fact("it is cancelled", ada("DELETE", F + "/invitations/" + i["id"])[0] == 204)
fact("once", ada("DELETE", F + "/invitations/" + i["id"])[0] == 409)

new = Browser(api, ca)
look = lambda code: new.send(new.get("/invite"), "/invite", code=code)
s, i = ada("POST", F + "/invitations", {"email": "eve@h.example", "role": "viewer", "expires_in_days": 1})
R = F + "/invitations/" + i["id"] + "/resend"
s, again = ada("POST", R)
fact("an invitation is sent again", s == 200 and again["id"] == i["id"] and again["state"] == "pending", s, again)
fact("with another code, and more time", again["code"] != i["code"] and len(again["code"]) == 32 and
     again["expires_at"] > i["expires_at"] and again["created_at"] == i["created_at"], i, again)
fact("the old code is nobody's", look(i["code"]).status == 404 and look(again["code"]).says("eve@h.example"))
s, third = ada("POST", R, {"expires_in_days": 2})
fact("as often as one likes, for how long one says", s == 200 and look(again["code"]).status == 404 and
     i["expires_at"] < third["expires_at"] < again["expires_at"], third)
fact("a number of days is one", ada("POST", R, {"expires_in_days": 0})[0] == 422)
fact("a member does not send it", mia("POST", R)[0] == 403)
fact("one that is not there is not there", ada("POST", F + "/invitations/11111111-1111-4111-8111-111111111111/resend")[0] == 404)
p = new.send(look(third["code"]), "/invite/decline")
fact("who was invited declines", p.status == 200 and p.says("declined"), p.text)
state = lambda: {x["id"]: x["state"] for x in ada("GET", F + "/invitations")[1]["items"]}[i["id"]]
fact("which stands in the list", state() == "declined", state())
s, d = ada("POST", R)
fact("an answer is final: it is not sent again", s == 409 and "anew" in d["detail"] and state() == "declined", s, d)

# ---- oneself
s, me = mia("GET", "/api/me")
fact("one's own record", s == 200 and (me["login"], me["name"], me["role"], me["fleet_id"]) == ("mia", "mia", "member", fleet) and
     me["user_id"] == who["mia"], me)
s, d = mia("PATCH", "/api/me", {"name": "Mia \u00d6", "role": "owner", "login": "root"})
fact("one changes one's name, and nothing else", s == 200 and (d["name"], d["login"], d["role"]) == ("Mia \u00d6", "mia", "member"), d)
fact("others see it", {m["login"]: m["name"] for m in ada("GET", F + "/members")[1]["items"]}["mia"] == "Mia \u00d6")
fact("a name has some letters, not too many", all(mia("PATCH", "/api/me", {"name": n})[0] == 422 for n in ("", "  ", "x" * 64, "a\nb")))
fact("nothing is no change", mia("PATCH", "/api/me", {})[0] == 422 and mia("PATCH", "/api/me", {"name": None})[0] == 422)
s, d = mia("PATCH", "/api/me", {"email": "mia@h.example"})
s2, wrong = mia("PATCH", "/api/me", {"email": "mia@h.example", "password": "not this one"})
fact("an address needs the password", s == s2 == 403 and d == wrong, s, d, s2, wrong)
fact("and is not changed without it", mia("GET", "/api/me")[1]["email"] == "")
own = {"password": "correct horse battery"}
s, d = mia("PATCH", "/api/me", {"email": "Mia@H.example", **own})
fact("with it, it is", s == 200 and d["email"] == "mia@h.example" and d["name"] == "Mia \u00d6", s, d)
fact("what is no address is none", all(mia("PATCH", "/api/me", {"email": e, **own})[0] == 422 for e in (
    "mia", "@h.example", "mia@", "mi a@h.example", "m" * 120 + "@h.example")))
s, d = ada("PATCH", "/api/me", {"name": "Not kept", "email": "MIA@h.example", **own})
fact("another's address is taken", s == 409 and "another account" in d["detail"] and ada("GET", "/api/me")[1]["name"] == "ada", s, d)
s, d = ada("PATCH", "/api/me", {"email": "mia@h.example", "password": "not hers"})
fact("without the password nobody learns that", s == 403 and d == wrong, s, d)
fact("nor a guest", b.json("PATCH", "/api/me", {"name": "x"})[0] == 401 and b.json("GET", "/api/me")[0] == 401)
store = Store()
kim = store.person("kim")
store.member(fleet, kim, "viewer")
s, d = b.json("PATCH", "/api/me", {"email": "kim@h.example", "password": ""}, token=store.token(fleet, kim)[0])
fact("who has no password is told where one comes from", s == 409 and "cmdop server user password" in d["detail"], s, d)
fact("an address may be taken away", mia("PATCH", "/api/me", {"email": "", **own})[1]["email"] == "")
link = Mesh(Store().token(fleet, root)[0])
s, d = owner("PATCH", "/api/me", {"name": "The Owner", "email": "boss@h.example", "password": "the owner has a long one"})
fact("an owner, too", s == 200, s, d)
d = json.loads(subprocess.run([CMDOP, "auth", "status", "--json"], env=home("relay"), capture_output=True).stdout)
fact("the operator's tool tells the new name at once", (d["user"], d["email"], d["state"]) == ("The Owner", "boss@h.example", "good"), d)
def told():
    """Whose a command is, that begins now on a link from before."""
    i = str(uuid.uuid4())
    link.answer(link.open(EXEC, box, pb({1: ["sleep", "60"], 5: i})))
    return [j[5].decode() for j in link.ask("jobs.list", box)[1] if j[1].decode() == i]
fact("and so do links that are open", any(told() == ["The Owner"] or time.sleep(0.2) for _ in range(20)), told())
link.close()
fact("what is signed in stays so", mia("GET", F + "/machines")[0] == 200)

# ---- API keys
s, k = mia("POST", F + "/api-keys", {"name": "ci", "scopes": ["machines:read"], "expires_in_days": 30})
fact("a member makes a key for himself", s == 201 and k["raw_token"].startswith("cmdop_apikey_") and k["expires_at"], k)
key = lambda method, path, body=None: b.json(method, path, body, token=k["raw_token"])
fact("the key lists machines", key("GET", "/api/machines")[0] == 200)
fact("and tells whose it is, but does not change that", key("GET", "/api/me")[1]["login"] == "mia" and
     key("PATCH", "/api/me", {"name": "x"})[0] == 403)
fact("and no more than its scopes", key("PATCH", "/api/machines/" + box, {"name": "z"})[0] == 403 and
     key("GET", F + "/members")[0] == 403 and key("POST", F + "/api-keys", {"name": "x", "scopes": ["machines:read"]})[0] == 403)
s, d = ada("GET", F + "/api-keys")
fact("it is shown once; its use is noted", s == 200 and "raw_token" not in d["items"][0] and d["items"][0]["last_used_at"] and
     k["raw_token"].startswith(d["items"][0]["key_prefix"]), d)
fact("what is shown of it tells it from others", len(d["items"][0]["key_prefix"]) == 19 == len(k["key_prefix"]), d)
fact("words that are no scopes are refused", mia("POST", F + "/api-keys", {"name": "x", "scopes": ["root"]})[0] == 422)
fact("no days are none", mia("POST", F + "/api-keys", {"name": "x", "scopes": ["machines:read"], "expires_in_days": 0})[0] == 422)
s, mine = owner("POST", F + "/api-keys", {"name": "his", "scopes": ["machines:read"]})
fact("a member sees and ends his own only", len(mia("GET", F + "/api-keys")[1]["items"]) == 1 and
     mia("DELETE", F + "/api-keys/" + mine["id"])[0] == 404)
fact("a revoked key opens nothing", ada("DELETE", F + "/api-keys/" + k["id"])[0] == 204 and key("GET", "/api/machines")[0] == 401)

# ---- the record
s, d = mia("GET", F + "/audit?limit=2")
newest = d["items"][0]
fact("a member reads what was done, the newest first", s == 200 and newest["action"] == "token.revoke" and newest["actor"] == who["ada"] and
     newest["outcome"] and newest["id"] > d["items"][1]["id"], d)
page, seen = d, [i["id"] for i in d["items"]]
while page["has_more"]:
    page = mia("GET", F + "/audit?cursor=" + page["next_cursor"])[1]
    seen += [i["id"] for i in page["items"]]
fact("to its first line, each once", seen == sorted(set(seen), reverse=True) and page["items"][-1]["action"] == "fleet.make", page)
fact("who is not in the fleet does not, nor an API key", vic("GET", F + "/audit")[0] in (401, 403) and
     b.json("GET", F + "/audit", token=mine["raw_token"])[0] == 403, vic("GET", F + "/audit"))

# ---- another fleet, policies
s, other = mia("POST", "/api/fleets", {"name": "Mia's own", "slug": "mias-own"})
fact("a person makes a fleet", s == 201 and other["role"] == "owner", other)
fact("a slug is one fleet's", ada("POST", "/api/fleets", {"name": "x", "slug": "mias-own"})[0] == 409)
s, d = mia("POST", F + "/api-keys", {"name": "narrow", "scopes": ["agent:invoke"]})
s, d = b.json("GET", "/api/fleets", token=d["raw_token"])
fact("a key of one fleet knows of no other", s == 200 and [f["id"] for f in d["items"]] == [fleet], s, d)
fact("its person does", {f["id"] for f in mia("GET", "/api/fleets")[1]["items"]} == {fleet, other["id"]})
G = "/api/fleets/" + other["id"]
crossed = [(who.__name__, m, p) for who in (owner, ada, mia) for m, p, body in (
    ("GET", G, None), ("PATCH", G, {"name": "x"}), ("DELETE", G, None), ("GET", G + "/members", None),
    ("POST", G + "/members", {"login": "ada", "role": "member"}), ("GET", G + "/invitations", None),
    ("POST", G + "/invitations", {"email": "a@h.example", "role": "viewer"}), ("GET", G + "/api-keys", None),
    ("POST", G + "/api-keys", {"name": "x", "scopes": ["machines:read"]}), ("GET", G + "/machines", None), ("GET", G + "/audit", None))
    if who(m, p, body)[0] != 404]
fact("no token reaches into another fleet, not even his own", not crossed, crossed)
fact("an admin does not set policies", ada("PATCH", F, {"mfa_required": "required"})[0] == 403)
fact("a list that would shut oneself out is refused", owner("PATCH", F, {"ip_allow": "10.0.0.0/8"})[0] == 422 and
     owner("PATCH", F, {"ip_allow": "nonsense"})[0] == 422)
fact("words that are none are refused", owner("PATCH", F, {"mfa_required": "yes"})[0] == 422 and
     owner("PATCH", F, {"default_mode": "loose"})[0] == 422 and owner("PATCH", F, {"default_mode": 3})[0] == 422)
s, d = owner("PATCH", F, {"default_mode": "strict"})
fact("how strict machines shall be is kept", s == 200 and d["default_mode"] == "strict" and d["mfa_required"] == "none", s, d)
s, d = owner("PATCH", F, {"mfa_required": "required", "session_seconds": 3600})
fact("an owner does", s == 200 and d["mfa_required"] == "required" and d["session_seconds"] == 3600 and d["role"] == "owner", s, d)
s, d = ada("GET", "/api/machines")
fact("and it is in force at once", s == 403 and "second factor" in d["detail"], s, d)
p = Browser(api, ca)
page = p.sign_in("ada", "correct horse battery")
fact("the account's page says what to do", page.says("demands a second factor") and "/account/totp" in page.text, page.text)
fact("and opens nothing else", p.get("/device").status == 403)
mia("PATCH", "/api/me", {"email": "mia@h.example", **own})
said = []
while len(said) < 12 and 429 not in said:
    said.append(ada("PATCH", "/api/me", {"email": "mia@h.example", **own})[0])
fact("who asks for many addresses that are taken must wait", 2 < len(said) < 12 and set(said[:-1]) == {409}, said)
store.do("update fleet set mfa_required = 0 where id = ?", fleet)
store.tell()
asker = Browser(api, ca)
asker.source = "127.0.0.2"
t = store.token(fleet, root)[0]
add = lambda login: asker.json("POST", F + "/members", {"login": login, "role": "viewer"}, token=t)
said = []
while len(said) < 12 and 429 not in said:
    said.append(add("nobody-%d" % len(said))[0])
fact("and who asks for many logins that nobody has", 2 < len(said) < 12 and set(said[:-1]) == {404}, said)
EOS
is "a machine's name is the new one over Mesh too" "$(at relay "$CMDOP" connect --list --json 2> /dev/null | grep -c web-1)" 1
finish
