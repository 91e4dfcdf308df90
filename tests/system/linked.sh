# A machine in several fleets, over REST: who may link it, what a link opens and what it does
# not, and that what rested on a link ends with it.
. tests/system/lib/test.sh
relay && machine box && machine bay
for who in ada:admin mia:member; do
    echo 'correct horse battery' | at relay "$CMDOP" server user add "${who%:*}" --role "${who#*:}"
done

script <<'EOS'
from facts import *
from browser import *
from mesh import *
api, ca = os.environ["API"], T + "/relay/state/cmdop/server/ca.pem"
b = Browser(api, ca)


class Person:
    """Somebody at the pages, with a token in each fleet that is asked for."""

    def __init__(self, login):
        self.page = Browser(api, ca)
        self.page.sign_in(login, "correct horse battery")

    def token(self, fleet):
        d = b.json("POST", "/api/system/oauth/device/", {})[1]
        page = self.page.get("/device?user_code=" + d["user_code"])
        self.page.send(page, "/device", action="approve", fleet=fleet)
        return b.json("POST", "/api/system/oauth/token/", {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": d["device_code"]})[1]["access_token"]

    def at(self, fleet):
        t = self.token(fleet)
        return lambda method, path, body=None: b.json(method, path, body, token=t)


store = Store()
home = store.do("select id from fleet where slug = 'home'")[0][0]
ids = dict(store.do("select name, id from machine"))
box = ids["box"]
ada, mia = Person("ada"), Person("mia")
ada_home, mia_home = ada.at(home), mia.at(home)
work = mia_home("POST", "/api/fleets", {"name": "Work", "slug": "work"})[1]["id"]
mia_work = mia.at(work)
W, H = "/api/fleets/" + work + "/machines", "/api/fleets/" + home + "/machines"
who = {m["login"]: m["user_id"] for m in ada_home("GET", "/api/fleets/" + home + "/members")[1]["items"]}
names = lambda as_, path: sorted(m["name"] for m in as_("GET", path)[1]["items"])
attach = lambda as_, path=W, machine=box: as_("POST", path, {"machine_id": machine})

# ---- who may
fact("a member does not give a machine away", attach(mia_home)[0] == 403)
fact("nor does somebody take one: his token speaks elsewhere", attach(mia_work)[0] == 404)
fact("a fleet that one is not in is not there", attach(ada_home)[0] == 404)
key = ada_home("POST", "/api/fleets/" + home + "/api-keys", {"name": "k", "scopes": ["machines:read", "machines:write"]})[1]["raw_token"]
fact("nor does an API key", attach(lambda *a: b.json(*a, token=key))[0] == 403)
fact("nor a guest", b.json("POST", W, {"machine_id": box})[0] == 401)
store.member(work, who["ada"], "member")
s, d = attach(ada_home)
fact("who is no admin of the other fleet does not link it", s == 403 and "admins" in d["detail"], s, d)
fact("and nothing came of all that", names(mia_work, W) == [] and
     store.do("select count(*) from machine_fleet where fleet_id = ?", work)[0][0] == 0)
store.member(work, who["ada"], "admin")
store.do("update fleet set mfa_required = 1 where id = ?", work)
s, d = attach(ada_home)
fact("the second factor that the other fleet demands is demanded", s == 403 and "second factor" in d["detail"], s, d)
store.do("update fleet set mfa_required = 0, ip_allow = '10.0.0.0/8' where id = ?", work)
s, d = attach(ada_home)
fact("and its list of networks holds", s == 403 and "address" in d["detail"], s, d)
store.do("update fleet set ip_allow = '', session_ms = 1 where id = ?", work)
s, d = ada.page.json("POST", W, {"machine_id": box}, headers={
    "Origin": ada.page.origin, "X-Form-Token": ada.page.get("/account").form("/account/password")["form"]})
fact("nor is a browser's session too old for it", s == 403 and "shorter" in d["detail"], s, d)
store.do("update fleet set session_ms = 0 where id = ?", work)
fact("a machine is told by its id", ada_home("POST", W, {})[0] == 422 and attach(ada_home, machine="box")[0] == 422)
fact("one that is not there is not there", attach(ada_home, machine="11111111-1111-4111-8111-111111111111")[0] == 404)

# ---- a link
s, d = attach(ada_home)
fact("an admin of both links it", s == 201 and (d["machine_id"], d["fleet_id"], d["added_by_id"], d["home"]) ==
     (box, work, who["ada"], False) and d["joined_at"], s, d)
fact("twice is once", attach(ada_home)[0] == 200 and attach(ada_home)[1]["joined_at"] == d["joined_at"])
fact("the record of both has it", [r[0] for r in store.do(
    "select fleet_id from audit where action = 'machine.link' and object = ? order by fleet_id", box)] == sorted([home, work]))
fact("it is listed there, and nothing else", names(mia_work, W) == ["box"] == names(mia_work, "/api/machines"))
fact("and at home", names(ada_home, H) == ["bay", "box"])
s, d = mia_work("GET", "/api/machines/" + box)
fact("it tells where its home is", s == 200 and d["fleet_id"] == home, s, d)
fact("the home decides about it", mia_work("PATCH", "/api/machines/" + box, {"name": "mine"})[0] == 409 and
     mia_work("DELETE", "/api/machines/" + box)[0] == 409)
s, d = attach(mia_work)
fact("and links it further", s == 409 and "home" in d["detail"], s, d)
third = mia_home("POST", "/api/fleets", {"name": "Third", "slug": "third"})[1]["id"]
store.member(third, who["ada"], "admin")
fact("to several fleets", attach(ada_home, "/api/fleets/" + third + "/machines")[0] == 201)
F = "/api/machines/" + box + "/fleets"
seen = lambda as_: sorted((l["fleet_slug"], l["home"]) for l in as_("GET", F)[1]["items"])
fact("the home sees all of them", seen(ada_home) == [("home", True), ("third", False), ("work", False)], seen(ada_home))
fact("another fleet sees the home and itself", seen(mia_work) == [("home", True), ("work", False)], seen(mia_work))
one = mia_work("GET", F + "?limit=1")[1]
fact("nor is it told how many there are besides", len(one["items"]) == 2 and not one["has_more"] and one["next_cursor"] is None, one)
fact("a member sees none", mia_home("GET", F)[0] == 403)
one = ada_home("GET", F + "?limit=1")[1]
two = ada_home("GET", F + "?limit=2&cursor=" + one["next_cursor"])[1]
fact("by cursor, too", len(one["items"]) == 1 and len(two["items"]) == 2 and not two["has_more"], one, two)

# ---- what a link opens, and its end
m = Mesh(mia.token(work))
fact("it can be used from there", wait_for(lambda: m.exec("box", "true") == 0, 2))
fact("and no other machine of its home", m.exec("bay", "true") == NOT_FOUND)
kim = store.person("kim")
store.member(work, kim, "viewer")
v = Mesh(store.token(work, kim)[0])
fact("by a role there: a viewer sees it and runs nothing", [r[2] for r in v.ask("machines.list")[1]] == [b"box"] and
     v.exec("box", "true") == DENIED)
store.member(work, kim, "member")
store.do("insert into machine_access (fleet_id, machine_id, person_id, access) values (?, ?, ?, 3)", work, box, kim)
store.tell()
v.ended(3)
v = Mesh(store.token(work, kim)[0])
fact("and by what was set there", v.exec("box", "true") == NOT_FOUND and v.ask("machines.list")[1] == [])
h = Mesh(ada.token(home))
n, k = m.open(EXEC, "box", pb({1: ["sleep", "300"]})), h.open(EXEC, "box", pb({1: ["sleep", "300"]}))
assert m.answer(n)[0] == ACCEPT and h.answer(k)[0] == ACCEPT
s, d = ada_home("DELETE", H + "/" + box)
fact("the home itself stays", s == 409 and "home" in d["detail"] and "DELETE" in d["detail"], s, d)
fact("another fleet does not end what is not its own", mia_work("DELETE", H + "/" + box)[0] == 404 and
     mia_work("DELETE", "/api/fleets/" + third + "/machines/" + box)[0] == 404)
fact("nor does a member", mia_home("DELETE", W + "/" + box)[0] == 403)
fact("all of that ended nothing", names(mia_work, W) == ["box"] and m.exec("box", "true") == 0)
fact("an admin of that fleet ends it", mia_work("DELETE", W + "/" + box)[0] == 204)
took, words = m.ended(3)
fact("which cuts what was open by it within a second", took is not None and took < 1 and "left" in words, took, words)
fact("what was open from home goes on", h.exec("box", "true") == 0)
m = Mesh(mia.token(work))
fact("and nothing opens any more", m.exec("box", "true") == NOT_FOUND and m.exec(box, "true") == NOT_FOUND)
fact("nor is it seen", names(mia_work, W) == [] and mia_work("GET", "/api/machines/" + box)[0] == 404)
fact("the record of both has it, too", len(store.do(
    "select 1 from audit where action = 'machine.unlink' and object = ? and fleet_id in (?, ?)", box, home, work)) == 2)
fact("ended once", mia_work("DELETE", W + "/" + box)[0] == 404)
fact("what is linked again", attach(ada_home)[0] == 201 and wait_for(lambda: m.exec("box", "true") == 0, 2))
store.do("delete from member where fleet_id = ? and person_id = ?", work, who["ada"])
fact("the home takes back, whoever is in the other fleet", ada_home("DELETE", W + "/" + box)[0] == 204)
took, words = m.ended(3)
fact("and that cuts as well", took is not None and took < 1 and "left" in words, took, words)
EOS
finish
