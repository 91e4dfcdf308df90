# A real browser, headless Chromium, signs in at the relay's pages and lets a device in; what its
# accessibility tree tells is what a screen reader would.
. tests/system/lib/test.sh
. tests/system/lib/driver.sh
relay
echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role admin --email ada@h.example
driver

script <<'EOS'
import base64, time
import clumps
from facts import *
from browser import Browser
from webdriver import Chromium
api, ca = os.environ["API"], T + "/relay/state/cmdop/server/ca.pem"
page = Chromium(T + "/profile/data")
click, text, keys, js = page.click, page.text, page.keys, page.js
title, name_of, soon = page.title, page.name_of, page.soon
go = lambda url: page.go(f"https://localhost:{api}{url}")


def shot(name):
    folder = os.environ.get("SHOTS")
    if folder:
        with open(f"{folder}/{name}.png", "wb") as f:
            f.write(base64.b64decode(page.ask("GET", "/screenshot")))


def fits():
    return js("return window.innerWidth == 320 && document.documentElement.scrollWidth <= 320")


try:
    go("/account")
    fact("who is not signed in comes to the sign-in page", title().startswith("Sign in"), title(), text())
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
    fact("its fields have names", [name_of("#" + i) for i in ("name", "email", "email-password")] ==
         ["Your name", "E-mail", "Password, to change it"], [name_of("#" + i) for i in ("name", "email", "email-password")])
    keys("#name", "\ue009a\ue000Ada Lovelace\ue007")
    soon("the keyboard changes the name", lambda: "was changed" in text() and "Ada Lovelace" in text())
    cookies = page.ask("GET", "/cookie")
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
    keys("#factor-password", "correct horse battery\ue007")
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

    page.go(f"https://localhost:{clumps.listen(int(api))}/signin")
    fact("a request that comes with the end of the handshake is answered", title().startswith("Sign in"), title(), text())
finally:
    page.end()
EOS
finish
