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
import json, time
from facts import *
from browser import *
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
fact("with a filter", [m["name"] for m in ada("GET", "/api/machines?q=bo&presence=online")[1]["items"]] == ["box"])
fact("a cursor that is none is refused", ada("GET", "/api/machines?cursor=!!")[0] == 400)
fact("and a limit that is none", ada("GET", "/api/machines?limit=0")[0] == 400)
fact("one machine is shown", ada("GET", "/api/machines/" + box)[1]["public_key_fingerprint"].startswith("SHA256:"))
fact("one that is nobody's is not there", ada("GET", "/api/machines/11111111-1111-4111-8111-111111111111")[0] == 404)
fact("a member does not rename it", mia("PATCH", "/api/machines/" + box, {"name": "mine"})[0] == 403)
s, d = ada("PATCH", "/api/machines/" + box, {"name": "web-1"})
fact("an admin does", s == 200 and d["name"] == "web-1", s, d)
fact("names are bounded", ada("PATCH", "/api/machines/" + box, {"name": "x" * 5000})[0] == 422)

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
fact("the last owner stays one", owner("PATCH", F + "/members/" + root, {"role": "admin"})[0] == 409)
fact("a role is one of four", ada("PATCH", F + "/members/" + who["vic"], {"role": "king"})[0] == 422)
fact("a member removes nobody else", mia("DELETE", F + "/members/" + who["vic"])[0] == 403)
fact("but may leave", vic("DELETE", F + "/members/" + who["vic"])[0] == 204)
fact("and is out at once", vic("GET", "/api/fleets")[0] == 401)

# ---- invitations
s, i = ada("POST", F + "/invitations", {"email": "eve@h.example", "role": "viewer", "expires_in_days": 1})
fact("an admin invites", s == 201 and len(i["code"]) == 32 and i["state"] == "pending", i)
s, d = ada("GET", F + "/invitations")
fact("the list does not tell the code", s == 200 and "code" not in d["items"][0] and d["items"][0]["email"] == "eve@h.example", d)
fact("a member does not invite", mia("POST", F + "/invitations", {"email": "x@h.example", "role": "viewer"})[0] == 403)
fact("nobody is invited as an owner", owner("POST", F + "/invitations", {"email": "x@h.example", "role": "owner"})[0] == 422)
fact("it is cancelled", ada("DELETE", F + "/invitations/" + i["id"])[0] == 204)
fact("once", ada("DELETE", F + "/invitations/" + i["id"])[0] == 409)

# ---- API keys
s, k = mia("POST", F + "/api-keys", {"name": "ci", "scopes": ["machines:read"], "expires_in_days": 30})
fact("a member makes a key for himself", s == 201 and k["raw_token"].startswith("cmdop_apikey_") and k["expires_at"], k)
key = lambda method, path, body=None: b.json(method, path, body, token=k["raw_token"])
fact("the key lists machines", key("GET", "/api/machines")[0] == 200)
fact("and no more than its scopes", key("PATCH", "/api/machines/" + box, {"name": "z"})[0] == 403 and
     key("GET", F + "/members")[0] == 403 and key("POST", F + "/api-keys", {"name": "x", "scopes": ["machines:read"]})[0] == 403)
s, d = ada("GET", F + "/api-keys")
fact("it is shown once; its use is noted", s == 200 and "raw_token" not in d["items"][0] and d["items"][0]["last_used_at"] and
     k["raw_token"].startswith(d["items"][0]["key_prefix"]), d)
fact("words that are no scopes are refused", mia("POST", F + "/api-keys", {"name": "x", "scopes": ["root"]})[0] == 422)
fact("no days are none", mia("POST", F + "/api-keys", {"name": "x", "scopes": ["machines:read"], "expires_in_days": 0})[0] == 422)
s, mine = owner("POST", F + "/api-keys", {"name": "his", "scopes": ["machines:read"]})
fact("a member sees and ends his own only", len(mia("GET", F + "/api-keys")[1]["items"]) == 1 and
     mia("DELETE", F + "/api-keys/" + mine["id"])[0] == 404)
fact("a revoked key opens nothing", ada("DELETE", F + "/api-keys/" + k["id"])[0] == 204 and key("GET", "/api/machines")[0] == 401)

# ---- another fleet, policies
s, other = mia("POST", "/api/fleets", {"name": "Mia's own", "slug": "mias-own"})
fact("a person makes a fleet", s == 201 and other["role"] == "owner", other)
fact("a slug is one fleet's", ada("POST", "/api/fleets", {"name": "x", "slug": "mias-own"})[0] == 409)
G = "/api/fleets/" + other["id"]
crossed = [(who.__name__, m, p) for who in (owner, ada, mia) for m, p, body in (
    ("GET", G, None), ("PATCH", G, {"name": "x"}), ("DELETE", G, None), ("GET", G + "/members", None),
    ("POST", G + "/members", {"login": "ada", "role": "member"}), ("GET", G + "/invitations", None),
    ("POST", G + "/invitations", {"email": "a@h.example", "role": "viewer"}), ("GET", G + "/api-keys", None),
    ("POST", G + "/api-keys", {"name": "x", "scopes": ["machines:read"]}), ("GET", G + "/machines", None))
    if who(m, p, body)[0] != 404]
fact("no token reaches into another fleet, not even his own", not crossed, crossed)
fact("an admin does not set policies", ada("PATCH", F, {"mfa_required": "required"})[0] == 403)
fact("a list that would shut oneself out is refused", owner("PATCH", F, {"ip_allow": "10.0.0.0/8"})[0] == 422 and
     owner("PATCH", F, {"ip_allow": "nonsense"})[0] == 422)
s, d = owner("PATCH", F, {"mfa_required": "required", "session_seconds": 3600})
fact("an owner does", s == 200 and d["mfa_required"] == "required" and d["session_seconds"] == 3600, s, d)
s, d = ada("GET", "/api/machines")
fact("and it is in force at once", s == 403 and "second factor" in d["detail"], s, d)
p = Browser(api, ca)
page = p.sign_in("ada", "correct horse battery")
fact("the account's page says what to do", page.says("demands a second factor") and "/account/totp" in page.text, page.text)
fact("and opens nothing else", p.get("/device").status == 403)
EOS
is "a machine's name is the new one over Mesh too" "$(at relay "$CMDOP" connect --list --json 2> /dev/null | grep -c web-1)" 1
finish
