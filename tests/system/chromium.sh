# A real browser, headless Chromium, signs in at the relay's pages and lets a device in; what its
# accessibility tree tells is what a screen reader would.
. tests/system/lib/test.sh
for program in chromium chromedriver; do
    [ -n "$(command -v $program)" ] || skip "$program is not here (chromium, chromium-driver)"
done
relay
echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role admin --email ada@h.example
mkdir -p "$T/profile"
(
    exec > "$T/driver.log" 2>&1 < /dev/null
    exec env HOME="$T/profile" XDG_CONFIG_HOME="$T/profile" XDG_CACHE_HOME="$T/profile" TMPDIR="$T/profile" \
        chromedriver --port=0
) &
echo $! >> "$T/pids"
wait_for 20 has "$T/driver.log" 'started successfully on port [0-9]+' || skip "chromedriver does not start"
DRIVER=$(sed -n 's/.*started successfully on port \([0-9]*\).*/\1/p' "$T/driver.log")
export DRIVER

script <<'EOS'
import base64, json, time, urllib.error, urllib.request
from facts import *
from browser import Browser
api, driver, ca = os.environ["API"], os.environ["DRIVER"], T + "/relay/state/cmdop/server/ca.pem"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def wire(method, path, body=None):
    """One command of WebDriver."""
    data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
    r = urllib.request.Request(f"http://127.0.0.1:{driver}{path}", data, {"Content-Type": "application/json"}, method=method)
    try:
        return json.load(urllib.request.urlopen(r, timeout=60))["value"]
    except urllib.error.HTTPError as e:
        raise LookupError("webdriver: " + e.read().decode()[:400])


s = wire("POST", "/session", {"capabilities": {"alwaysMatch": {
    # The relay's own CA is not the system's; browser.py verifies it.
    "acceptInsecureCerts": True,
    "goog:chromeOptions": {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                    "--user-data-dir=" + T + "/profile/data"],
                           "mobileEmulation": {"deviceMetrics": {"width": 320, "height": 640, "pixelRatio": 1}}}}}})
at = "/session/" + s["sessionId"]
go = lambda url: wire("POST", at + "/url", {"url": f"https://localhost:{api}{url}"})
find = lambda css: wire("POST", at + "/element", {"using": "css selector", "value": css})[ELEMENT]
click = lambda css: wire("POST", f"{at}/element/{find(css)}/click")
text = lambda css="body": wire("GET", f"{at}/element/{find(css)}/text")
keys = lambda css, words: wire("POST", f"{at}/element/{find(css)}/value", {"text": words})
js = lambda code: wire("POST", at + "/execute/sync", {"script": code, "args": []})
title = lambda: wire("GET", at + "/title")
name_of = lambda css: wire("GET", f"{at}/element/{find(css)}/computedlabel")


def shot(name):
    folder = os.environ.get("SHOTS")
    if folder:
        with open(f"{folder}/{name}.png", "wb") as f:
            f.write(base64.b64decode(wire("GET", at + "/screenshot")))


def soon(name, holds):
    """A fact of the page that a key or a click leads to: the old one may still be there."""
    def look():
        try:
            return holds()
        except LookupError:
            return False
    fact(name, wait_for(look), title(), text())


def fits():
    return js("return window.innerWidth == 320 && document.documentElement.scrollWidth <= 320")


try:
    go("/account")
    fact("who is not signed in comes to the sign-in page", title().startswith("Sign in"), title())
    fact("the page has a language and one heading", js("return document.documentElement.lang + document.querySelectorAll('h1').length") == "en1")
    fact("its style sheet is in force", js("return getComputedStyle(document.querySelector('button')).fontWeight") == "600")
    fact("the first field has the focus", js("return document.activeElement.name") == "login")
    fact("a screen reader tells the fields apart", (name_of("#login"), name_of("#password")) == ("Login", "Password"))
    fact("it fits 320 pixels", fits())
    shot("signin")
    keys("#login", "ada")
    keys("#password", "wrong password, long\ue007")
    soon("a wrong password is told first", lambda: title().startswith("Error: ") and "not right" in text("[role=alert]"))
    fact("and named as the field's description", js("return document.activeElement.getAttribute('aria-describedby')") == "error")
    shot("signin_wrong")
    keys("#password", "correct horse battery\ue007")
    soon("the keyboard alone signs in", lambda: title().startswith("Your account"))
    fact("it fits, too", fits())
    shot("account")
    cookies = wire("GET", at + "/cookie")
    fact("the cookie is strict, for TLS, and out of reach", len(cookies) == 1 and cookies[0]["name"] == "__Host-cmdop" and
         cookies[0]["httpOnly"] and cookies[0]["secure"] and cookies[0]["sameSite"] == "Strict", cookies)
    fact("no script reads it", js("return document.cookie") == "")

    d = Browser(api, ca).json("POST", "/api/system/oauth/device/", {"client_name": "a tool", "client_hostname": "box"})[1]
    go("/device")
    shot("device")
    keys("#user_code", d["user_code"].lower() + "\ue007")
    soon("a typed code shows what asks", lambda: "a tool" in text() and d["user_code"] in text() and "box" in text())
    fact("the fleet is chosen already", js("return document.querySelector('input[name=fleet]').checked"))
    fact("the choice has a name", "home" in name_of("input[name=fleet]"), name_of("input[name=fleet]"))
    fact("it fits", fits())
    shot("device_asks")
    click("button[value=approve]")
    soon("and lets it in", lambda: "signed in" in text("h1"))
    shot("device_done")
    ask = lambda: Browser(api, ca).json("POST", "/api/system/oauth/token/", {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": d["device_code"]})
    fact("the device has its token", ask()[1].get("access_token", "").startswith("cmdop_"))

    go("/account")
    click("form[action='/account/totp'] button")
    soon("a second factor is offered as text", lambda: "otpauth://" in text() and fits())
    shot("totp")
    go("/account")
    fact("the device is listed", "a tool at box" in text(), text())
    fact("its button says what it ends", "a tool" in name_of("form[action='/account/revoke']:nth-of-type(1) button") or
         "a tool" in js("return [...document.querySelectorAll('button.small')].map(b => b.ariaLabel).join()"))
    go("/invite")
    shot("invite")
    go("/signout")
    shot("signout")
    click("form[action='/signout'] button")
    soon("signed out", lambda: title().startswith("Sign in"))
    go("/account")
    fact("for good", title().startswith("Sign in"), title())
finally:
    wire("DELETE", at)
EOS
finish
