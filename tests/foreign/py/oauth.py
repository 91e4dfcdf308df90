"""
A client of our OAuth server on requests-oauthlib and oauthlib, which nobody here wrote:
    oauth.py PORT CA LOGIN PASSWORD
Prints facts for test.sh. The person who approves is tests/system/lib/browser.py.
"""
import sys
import time

import oauthlib.oauth2
import requests
from oauthlib.oauth2 import OAuth2Error
from requests_oauthlib import OAuth2Session

from browser import Browser

PORT, CA, LOGIN, PASSWORD = sys.argv[1:]
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def fact(name, holds, *remarks):
    print("ok" if holds else "not ok", name)
    for r in remarks if not holds else ():
        print("  " + str(r).replace("\n", "\n  "))


class DeviceClient(oauthlib.oauth2.Client):
    """RFC 8628 on top of oauthlib's base client, which parses and raises."""
    grant_type = GRANT

    def prepare_request_body(self, body="", include_client_id=True, **more):
        return oauthlib.oauth2.rfc6749.parameters.prepare_token_request(
            self.grant_type, body=body, include_client_id=True, client_id=self.client_id, **more)


s = OAuth2Session(client=DeviceClient("a-foreign-tool"))
s.verify = CA
s.trust_env = False  # a CA bundle named in the environment would be preferred
about = s.request("GET", f"https://localhost:{PORT}/.well-known/oauth-authorization-server", withhold_token=True).json()
# The relay of this test listens on this machine only, and calls itself so.
here = lambda url: url.replace("http://", "https://")
fact("the server tells what it can", GRANT in about["grant_types_supported"] and
     about["token_endpoint_auth_methods_supported"] == ["none"], about)
token_url = here(about["token_endpoint"])

r = requests.post(here(about["device_authorization_endpoint"]), verify=CA,
                  data={"client_id": "a-foreign-tool", "client_name": "oauthlib", "scope": "workspace:access"})
d = r.json()
fact("a device code comes as RFC 8628 says", r.status_code == 200 and d["expires_in"] == 900 and d["interval"] == 5 and
     d["verification_uri_complete"].startswith(d["verification_uri"]) and "no-store" in r.headers["Cache-Control"], r.text)


def fetch():
    return s.fetch_token(token_url, include_client_id=True, device_code=d["device_code"], verify=CA)


def error_of(call):
    try:
        return "no error: %r" % (call(),)
    except OAuth2Error as e:
        return e.error


e = error_of(fetch)
fact("the library reads authorization_pending", e == "authorization_pending", e)
e = error_of(fetch)
fact("and slow_down", e == "slow_down", e)
person = Browser(PORT, CA)
p = person.sign_in(LOGIN, PASSWORD, "/signin?next=/device?user_code=" + d["user_code"])
fact("a person sees what asks", p.says("oauthlib") and p.says(d["user_code"]), p.text)
p = person.send(p, "/device", action="approve")
fact("and approves", p.says("The device is signed in"), p.text)
time.sleep(5)
t = fetch()
fact("the library has its token", t["token_type"] == "Bearer" and t["access_token"].startswith("cmdop_") and
     t["refresh_token"].startswith("clitr_") and t["scope"] == ["workspace:access"], t)
info = s.get(f"https://localhost:{PORT}/api/system/oauth/token/info/")
fact("and may use it", info.status_code == 200 and info.json()["username"] == LOGIN and
     info.json()["client_name"] == "oauthlib" and info.json()["is_expired"] == "false", info.text)
listed = s.get(f"https://localhost:{PORT}/api/system/oauth/tokens/?page=1&page_size=5").json()
fact("its own token is in the list", listed["count"] >= 1 and not listed["has_next"] and
     any(row["access_token_prefix"] == t["access_token"][:12] for row in listed["results"]), listed)
fact("the code is spent", error_of(fetch) == "invalid_grant")

# ---- refresh
first = dict(t)
second = s.refresh_token(token_url, refresh_token=first["refresh_token"], client_id="a-foreign-tool", verify=CA)
fact("a refresh gives two new ones", second["access_token"] != first["access_token"] and
     second["refresh_token"] != first["refresh_token"], second)
again = s.refresh_token(token_url, refresh_token=first["refresh_token"], verify=CA)
fact("asked again after a lost answer, before the next was used, it gives others", again["refresh_token"] != second["refresh_token"])
third = s.refresh_token(token_url, refresh_token=again["refresh_token"], verify=CA)
fact("the newest is used", s.get(f"https://localhost:{PORT}/api/fleets").status_code == 200)
e = error_of(lambda: s.refresh_token(token_url, refresh_token=first["refresh_token"], verify=CA))
fact("a token that was used long ago is refused", e == "invalid_grant", e)
r = requests.get(f"https://localhost:{PORT}/api/fleets", verify=CA, headers={"Authorization": "Bearer " + third["access_token"]})
fact("and ends the whole sign-in", r.status_code == 401 and r.headers["WWW-Authenticate"].startswith("Bearer"), r.status_code, r.text)

# ---- approving by a program, and revoking
def new_tokens(approve):
    global d
    d = requests.post(here(about["device_authorization_endpoint"]), verify=CA, json={}).json()
    answer = approve(d["user_code"])
    time.sleep(0.1)
    return answer, fetch()


p = person.send(person.get("/device?user_code=" + requests.post(here(about["device_authorization_endpoint"]), verify=CA).json()["user_code"]),
                "/device", action="deny")
def by_page(code):
    return person.send(person.get("/device?user_code=" + code), "/device", action="approve")
_, t = new_tokens(by_page)
def by_bearer(code):
    return requests.post(f"https://localhost:{PORT}/api/system/oauth/authorize/", verify=CA,
                         headers={"Authorization": "Bearer " + t["access_token"]},
                         json={"user_code": code, "action": "approve", "workspace_id": t["workspace_id"]})
answer, u = new_tokens(by_bearer)
fact("a program approves with its bearer", answer.json() == {
    "success": True, "message": "the device is signed in", "user_code": d["user_code"], "status": "approved"} and
    u["access_token"] != t["access_token"], answer.text)
fact("a user code that is none is 404", by_bearer("BCDF-GHJK").status_code == 404)
for hint, which in (("access_token", t), ("refresh_token", u)):
    r = requests.post(here(about["revocation_endpoint"]), verify=CA, data={"token": which[hint], "token_type_hint": hint})
    gone = requests.get(f"https://localhost:{PORT}/api/fleets", verify=CA,
                        headers={"Authorization": "Bearer " + which["access_token"]}).status_code
    fact("a revoked " + hint + " opens nothing", r.status_code == 200 and gone == 401, r.text, gone)
    e = error_of(lambda: s.refresh_token(token_url, refresh_token=which["refresh_token"], verify=CA))
    fact("and is not refreshed", e == "invalid_grant", e)
r = requests.post(here(about["revocation_endpoint"]), verify=CA, data={"token": "nobody knows it"})
fact("giving back what nobody knows is well", r.status_code == 200)

# ---- bad requests
for name, data, error in (
        ("another grant", {"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ("no grant", {}, "invalid_request"),
        ("a grant without its code", {"grant_type": GRANT}, "invalid_request"),
        ("a truncated token", {"grant_type": "refresh_token", "refresh_token": u["refresh_token"][:-1]}, "invalid_grant"),
        ("an access token as a refresh token", {"grant_type": "refresh_token", "refresh_token": u["access_token"]}, "invalid_grant"),
        ("a token of 1000 bytes", {"grant_type": "refresh_token", "refresh_token": "clitr_" + "x" * 1000}, "invalid_grant"),
        ("a foreign device code", {"grant_type": GRANT, "device_code": "x" * 43}, "invalid_grant")):
    r = requests.post(token_url, verify=CA, data=data)
    fact(name + " is " + error, r.status_code == 400 and r.json()["error"] == error, r.status_code, r.text)
fact("a token in the address is none", requests.get(
    f"https://localhost:{PORT}/api/fleets?access_token={third['access_token']}", verify=CA).status_code == 401)
