"""The sign-ins of a place, read through their seal (XChaCha20-Poly1305, written here once more after
draft-irtf-cfrg-xchacha-03 and RFC 8439), and written as version 1, which the tool takes.

    signins.py CONFIG STATE        print the list as JSON
    signins.py CONFIG STATE NAME   one value of the current server, "token" or "address"
    signins.py CONFIG STATE NAME=V change one, under the seal as it is
"""
import base64
import json
import os
import struct
import sys

MASK = 0xFFFFFFFF


def rounds(s):
    s = list(s)

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & MASK
            v = s[z] ^ s[x]
            s[z] = ((v << n) | (v >> (32 - n))) & MASK
    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def hchacha(key, nonce):
    s = rounds(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *(s[:4] + s[12:]))


def block(key, counter, nonce):
    s = CONSTANTS + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(rounds(s), s)))


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(text), 16):
        acc = (acc + int.from_bytes(text[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def pad(text):
    return text + bytes(-len(text) % 16)


def open_seal(key, nonce, head, box):
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    text, tag = box[:-16], box[-16:]
    signed = pad(head) + pad(text) + struct.pack("<QQ", len(head), len(text))
    assert poly1305(block(key, 0, nonce)[:32], signed) == tag, "the seal is broken"
    stream = b"".join(block(key, 1 + i, nonce) for i in range(len(text) // 64 + 1))
    return bytes(a ^ b for a, b in zip(text, stream))


def close_seal(key, nonce, head, text):
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    stream = b"".join(block(key, 1 + i, nonce) for i in range(len(text) // 64 + 1))
    text = bytes(a ^ b for a, b in zip(text, stream))
    signed = pad(head) + pad(text) + struct.pack("<QQ", len(head), len(text))
    return text + poly1305(block(key, 0, nonce)[:32], signed)


def read(config, state, key=None):
    """The list: {"servers": [...], "current": ...}. `key`: from a keyring."""
    with open(os.path.join(config, "credentials.json")) as f:
        d = json.load(f)
    if d["version"] == 1:
        return d
    if d["key"] == "file":
        with open(os.path.join(state, "credentials.key"), "rb") as f:
            key = f.read()
    box = base64.urlsafe_b64decode(d["box"] + "==")
    return json.loads(open_seal(key, box[:24], b"cmdop credentials 2 " + d["key"].encode(), box[24:]))


def write(config, d):
    """As version 1: whoever wants to be found does not forget to make the folder 0700."""
    names = ("name", "address", "pin", "token", "user")
    old = {"version": 1, "servers": [{n: s[n] for n in names} for s in d["servers"]], "current": d["current"]}
    path = os.path.join(config, "credentials.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        json.dump(old, f)


def change(config, state, name, value):
    """One value of the current server; a number stays one."""
    d = read(config, state)
    s = next(s for s in d["servers"] if s["name"] == d["current"])
    s[name] = type(s[name])(value)
    with open(os.path.join(state, "credentials.key"), "rb") as f:
        key = f.read()
    nonce = os.urandom(24)
    box = nonce + close_seal(key, nonce, b"cmdop credentials 2 file", json.dumps(d).encode())
    path = os.path.join(config, "credentials.json")
    with open(os.open(path, os.O_WRONLY | os.O_TRUNC), "w") as f:
        f.write('{"version":2,"key":"file","box":"%s"}' % base64.urlsafe_b64encode(box).decode().rstrip("="))


if __name__ == "__main__":
    if len(sys.argv) == 4 and "=" in sys.argv[3]:
        change(sys.argv[1], sys.argv[2], *sys.argv[3].split("=", 1))
        sys.exit()
    found = read(sys.argv[1], sys.argv[2])
    if len(sys.argv) == 3:
        print(json.dumps(found))
    else:
        print(next(s for s in found["servers"] if s["name"] == found["current"])[sys.argv[3]])
