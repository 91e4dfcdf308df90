# The relay's health pages say whether it lives and whether it is ready; garbage on that port is
# answered or let go.
. tests/system/lib/test.sh
relay --max-connections 2 && machine box

page() { # PATH: print status, type and body
    "$PY" -c 'import sys, urllib.request, urllib.error
try:
    r = urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError as e:
    r = e
print(r.status, r.headers.get_content_type(), r.read().decode().strip())' "http://127.0.0.1:$API$1"
}
is "/healthz" "$(page /healthz | cut -d' ' -f1,3)" '200 ok'
is "/readyz" "$(page /readyz | cut -d' ' -f1,3-)" '200 {"ready":true}'
is "any other page is not there" "$(page /secrets | cut -d' ' -f1,2)" '404 application/problem+json'

script <<'EOS'
import http.client
from facts import *
from wire import *
api, port, relay = os.environ["API"], os.environ["PORT"], os.environ["RELAY"]

def page(path):
    c = http.client.HTTPConnection("127.0.0.1", int(api), timeout=5)
    c.request("GET", path)
    r = c.getresponse()
    return r.status, r.read().decode()

s = dial(port)
fact("when no place is left it is not ready, and says why", wait_for(lambda: page("/readyz")[0] == 503)
     and "no room" in page("/readyz")[1], page("/readyz"))
fact("while it lives", page("/healthz")[0] == 200)
s.close()
fact("with a place it is ready again", wait_for(lambda: page("/readyz")[0] == 200), page("/readyz"))

def answer(words):
    s = dial(api)
    try:
        s.sendall(words)
        return rest(s)
    except OSError as e:
        return str(e).encode()

for name, words, wanted in (
        ("noise", os.urandom(4096), b""),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500), b""),
        ("a head without end", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, b""),
        ("a POST", b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 4"),
        ("two lengths", b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 400"),
        ("a path out of the world", b"GET /../../etc/passwd HTTP/1.0\r\n\r\n", b"HTTP/1.1 404")):
    got = answer(words)
    fact(name + " gets its answer or its end", got is not None and got.startswith(wanted), repr(got and got[:200]))
silent = [dial(api) for i in range(20)]
fact("twenty who say nothing keep nobody out", page("/healthz")[0] == 200)
fact("the relay lives", alive(relay))
EOS
is "commands are not disturbed" "$(exec_on box -- echo yes)" yes
finish
