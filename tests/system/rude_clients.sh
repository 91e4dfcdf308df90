# Who speaks something else to the relay, or garbage, is let go with one line in the log; the relay
# lives, and a command that runs meanwhile does not notice.
. tests/system/lib/test.sh
relay && machine box
mkfifo "$T/in"
spawn relay "$T/meanwhile.log" sh -c "'$CMDOP' connect exec box -- sh -c 'while read line; do echo got \$line; done' < '$T/in'"
exec 3> "$T/in"
echo one >&3
wait_for 5 has "$T/meanwhile.log" 'got one'

script <<'EOS'
import os
from facts import *
from wire import *

port, relay = os.environ["PORT"], os.environ["RELAY"]
files = open_files(relay)

def rude(name, words, alpn=("h2",), pattern='event=conn.closed msg="[^"]', answer=None, plain=False):
    log = Log("relay.log")
    s = dial(port)
    got = b""
    try:
        if not plain:
            s = tls(s, alpn)
        s.sendall(words)
        got = rest(s)
    except (OSError, ssl.SSLError) as e:
        got = str(e).encode()
    s.close()
    one = log.has(pattern)
    lines = [x for x in log.lines() if "machine." not in x]
    fact(name + ": let go, one line in the log",
         got is not None and one and len(lines) == 1 and alive(relay), "answer %r" % (got and got[:200]), *lines)
    if answer:
        fact(name + ": is answered", got is not None and answer in got, "answer %r" % (got and got[:300]))

rude("HTTP/1 without TLS", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", plain=True)
rude("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", plain=True)
rude("64 KiB of noise without TLS", os.urandom(65536), plain=True)
rude("half a TLS record", b"\x16\x03\x01\x40\x00" + b"x" * 100 + b"\x00" * 16284, plain=True)
rude("TLS without ALPN", PREFACE + frame(SETTINGS), alpn=())
rude("TLS that asks for HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", alpn=("http/1.1",))
rude("HTTP/1 inside h2", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
rude("64 KiB of noise inside TLS", os.urandom(65536))
rude("noise after the preface", PREFACE + frame(SETTINGS) + os.urandom(65536))
rude("an HTTP/2 frame of 16 MiB", PREFACE + frame(SETTINGS) + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 65536)
rude("a gRPC message of 4 GiB", start() + frame(DATA, message(b"", 0xFFFFFFFF) + b"x" * 1000, stream=1))
rude("a gRPC message of 1 MiB", start() + frame(DATA, message(b"", 1 << 20) + b"x" * 1000, stream=1))
rude("a compressed gRPC message", start() + frame(DATA, message(HELLO, compressed=1), stream=1))
rude("a message that is no Frame", start() + frame(DATA, message(b"\xff" * 50), stream=1))
rude("an empty message", start() + frame(DATA, message(b""), stream=1))
rude("Data before Hello", start() + frame(DATA, message(bytes.fromhex("9a01020801")), stream=1))
rude("Hello twice", start() + frame(DATA, message(HELLO) * 2, stream=1))
rude("a Hello of another age", start() + frame(DATA, message(bytes.fromhex("0a06080210631863")), stream=1),
     answer=b"version")
rude("a Proof with a token that is none",
     start() + frame(DATA, message(HELLO) + message(bytes.fromhex("1a032a0178")), stream=1),
     answer=b"sign in")

def polite(name, words, until):
    log = Log("relay.log")
    with tls(dial(port)) as s:
        s.sendall(words)
        got = b""
        while until not in got:
            b = s.recv(65536)
            if not b:
                break
            got += b
    fact(name, until in got and alive(relay), "answer %r" % got)

# HEADERS of stream 1 with END_STREAM and END_HEADERS
trailers = b"\x01\x05\x00\x00\x00\x01"
polite("a call that ends at once gets its end", start() + frame(DATA, b"", END_STREAM, 1), trailers)
polite("a call of another method gets its end", start("/cmdop.agent.v1.Mesh/Other"), trailers)
rude("headers without end", PREFACE + frame(SETTINGS) + frame(HEADERS, header("a", "b"), 0, 1)
     + frame(CONTINUATION, header("x", "y" * 100) * 100, 0, 1) * 1000)
rude("10,000 streams opened and reset", PREFACE + frame(SETTINGS)
     + b"".join(call(stream=n) + frame(RST_STREAM, b"\0\0\0\x08", 0, n) for n in range(1, 20001, 2)))
fact("no connection stays behind", wait_for(lambda: open_files(relay) == files), files, open_files(relay))
EOS
if [ -n "$(command -v openssl)" ]; then
    echo | timeout 10 openssl s_client -connect "127.0.0.1:$PORT" -servername localhost \
        -verify_return_error -CAfile "$SERVER/ca.pem" > "$T/out" 2>&1
    says "openssl s_client verifies the certificate, and is let go" "$T/out" '^Verification: OK'
fi
is "the relay still lets people in" "$(exec_on box -- echo yes)" yes
echo two >&3
fact "the command that runs meanwhile goes on" wait_for 5 has "$T/meanwhile.log" 'got two'
exec 3>&-
wait $SPAWNED
is "and ends well" $? 0
finish
