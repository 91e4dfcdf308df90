# A person's browser, without a window: cookies are kept, forms are found and filled in by
# the names of their fields, and a redirect is followed within the same site.
import html, http.client, re, ssl, urllib.parse


class Page:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    def says(self, words):
        return words in html.unescape(re.sub(r"<[^>]*>", " ", self.text))

    def forms(self):
        found = {}
        for head, body in re.findall(r"<form ([^>]*)>(.*?)</form>", self.text, re.S):
            action = html.unescape(re.search(r'action="([^"]*)"', head)[1])
            fields = {}
            for tag in re.findall(r"<input ([^>]*)>", body):
                name = re.search(r'name="([^"]*)"', tag)
                value = re.search(r'value="([^"]*)"', tag)
                if name and ('type="radio"' not in tag or "checked" in tag):
                    fields[name[1]] = html.unescape(value[1]) if value else ""
            found.setdefault(action, []).append(fields)
        return found

    def form(self, action, which=0):
        return dict(self.forms()[action][which])


class Browser:
    def __init__(self, port, ca=None, host="localhost"):
        self.port, self.host, self.ca = int(port), host, ca
        self.cookies = {}
        self.origin = f"{'https' if ca else 'http'}://{host}:{port}"
        self.headers = {}  # sent with every request
        self.source = None # the address that it comes from
        self.strict = []   # Set-Cookie lines as they came

    def connect(self):
        source = (self.source, 0) if self.source else None
        if self.ca:
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(self.host, self.port, timeout=20, context=context, source_address=source)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=source)

    def ask(self, method, path, body=None, headers={}):
        c = self.connect()
        sent = {"Host": f"{self.host}:{self.port}", **self.headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        sent.update(headers)
        c.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
        r = c.getresponse()
        page = Page(r.status, r.headers, r.read().decode())
        c.close()
        for line in r.headers.get_all("Set-Cookie") or []:
            self.strict.append(line)
            name, value = line.split(";")[0].split("=", 1)
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return page

    def get(self, path, follow=True):
        page = self.ask("GET", path)
        while follow and page.status == 303:
            page = self.ask("GET", page.headers["Location"])
        return page

    def post(self, path, fields, follow=True, **headers):
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        page = self.ask("POST", path, urllib.parse.urlencode(fields), sent)
        while follow and page.status == 303:
            page = self.ask("GET", page.headers["Location"])
        return page

    def send(self, page, to, which=0, follow=True, **fields):
        return self.post(to, {**page.form(to, which), **fields}, follow)

    def sign_in(self, login, password, path="/signin"):
        return self.send(self.get(path), "/signin", login=login, password=password)

    def json(self, method, path, body=None, token=None, headers={}):
        import json
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            sent["Authorization"] = "Bearer " + token
        page = self.ask(method, path, json.dumps(body) if body is not None else None, {**sent, **headers})
        return page.status, json.loads(page.text) if page.text else None


def totp(secret, when=None):
    import base64, hmac, struct, time
    step = int((when or time.time()) // 30)
    key = base64.b32decode(secret.replace(" ", "") + "=" * (-len(secret.replace(" ", "")) % 8))
    d = hmac.digest(key, struct.pack(">Q", step), "sha1")
    at = d[-1] & 15
    return "%06d" % ((int.from_bytes(d[at:at + 4], "big") & 0x7FFFFFFF) % 10**6)
