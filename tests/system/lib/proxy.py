"""A path that can be cut: connections to this port go on to the one that the file names.

USR1 resets every connection; USR2 stops all bytes where they are, and lets them go on the
second time. New connections are taken meanwhile, and say nothing.
"""
import selectors
import signal
import socket
import struct
import sys

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets
MANY = 65536

target = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
wake, woken = socket.socketpair()
for s in wake, woken:
    s.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, lambda *_: None)
print("port %d" % listener.getsockname()[1], flush=True)

sel = selectors.DefaultSelector()
sel.register(listener, selectors.EVENT_READ)
sel.register(woken, selectors.EVENT_READ)
other = {}  # socket: where its bytes go
stalled = False


def drop(s):
    for x in s, other.get(s):
        if x in other:
            if x in sel.get_map():
                sel.unregister(x)
            del other[x]
            x.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            x.close()


def take():
    near, _ = listener.accept()
    try:
        far = socket.create_connection(("127.0.0.1", int(open(target).read())))
    except OSError:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        near.close()
        return
    for a, b in (near, far), (far, near):
        a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other[a] = b
        if not stalled:
            sel.register(a, selectors.EVENT_READ)


def move(s):
    try:
        data = s.recv(MANY)
        if data:
            other[s].sendall(data)
            return
    except OSError:
        pass
    drop(s)


while True:
    for key, _ in sel.select():
        if key.fileobj is listener:
            take()
        elif key.fileobj is woken:
            for number in woken.recv(64):
                if number == signal.SIGUSR1:
                    for s in list(other):
                        drop(s)
                elif number == signal.SIGUSR2:
                    stalled = not stalled
                    for s in other:
                        (sel.unregister if stalled else lambda x: sel.register(x, selectors.EVENT_READ))(s)
        elif key.fileobj in other:
            move(key.fileobj)
