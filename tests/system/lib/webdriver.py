# A real browser, headless Chromium, by its driver: DRIVER is where that listens.
import json, os, urllib.error, urllib.request

from facts import fact, wait_for

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Chromium:
    """The relay's own CA is not the system's: certificates are taken as they are."""

    def __init__(self, profile, width=320, height=640):
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--user-data-dir=" + profile],
                   "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1}}}
        s = self.wire("POST", "/session", {"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": True, "goog:chromeOptions": options}}})
        self.at = "/session/" + s["sessionId"]

    @staticmethod
    def wire(method, path, body=None):
        """One command of WebDriver."""
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        r = urllib.request.Request("http://127.0.0.1:" + os.environ["DRIVER"] + path, data,
                                   {"Content-Type": "application/json"}, method=method)
        try:
            return json.load(urllib.request.urlopen(r, timeout=60))["value"]
        except urllib.error.HTTPError as e:
            raise LookupError("webdriver: " + e.read().decode()[:400])

    def ask(self, method, path, body=None):
        return self.wire(method, self.at + path, body)

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def find(self, css):
        return self.ask("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.ask("POST", f"/element/{self.find(css)}/click")

    def text(self, css="body"):
        return self.ask("GET", f"/element/{self.find(css)}/text")

    def keys(self, css, words):
        self.ask("POST", f"/element/{self.find(css)}/value", {"text": words})

    def name_of(self, css):
        """What a screen reader calls it."""
        return self.ask("GET", f"/element/{self.find(css)}/computedlabel")

    def js(self, code):
        return self.ask("POST", "/execute/sync", {"script": code, "args": []})

    def title(self):
        return self.ask("GET", "/title")

    def soon(self, name, holds):
        """A fact of the page that a key or a click leads to: the old one may still be there."""
        def look():
            try:
                return holds()
            except LookupError:
                return False
        fact(name, wait_for(look), self.title(), self.text())

    def end(self):
        self.wire("DELETE", self.at)
