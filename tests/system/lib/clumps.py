# Between a browser and the relay: what the browser says arrives in clumps, as it does when the
# relay's machine is busy. Behind the client's first flight of TLS it says more before it has heard
# the server's last (RFC 7918), so both come at once.
import socket, threading, time


def _forward(a, b, clumps):
    first = True
    try:
        while True:
            if clumps and not first:
                time.sleep(0.3)
            data = a.recv(1 << 20)
            if not data:
                break
            b.sendall(data)
            first = False
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def listen(port):
    """The port at which `port` is reached in clumps."""
    front = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            near, _ = front.accept()
            far = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=_forward, args=(near, far, True), daemon=True).start()
            threading.Thread(target=_forward, args=(far, near, False), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return front.getsockname()[1]
