"""The program of a session: writes a stream at a steady rate, and keeps what is typed meanwhile.

    bothways.py SEED BYTES_PER_SECOND FOLDER

FOLDER/in is all that was read, FOLDER/out the count of bytes written. Once FOLDER/enough exists
nothing more is written, once FOLDER/stop exists it ends.
"""
import os
import sys
import threading
import time
import tty

from streams import LINE, Stream

TICK = 0.02

seed, rate, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def path(name):
    return os.path.join(folder, name)


def keep_input():
    with open(path("in"), "wb", buffering=0) as f:
        while True:
            data = os.read(0, 4096)
            if not data:
                return
            f.write(data)


def write(data):
    while data:
        data = data[os.write(1, data):]


tty.setraw(0)
threading.Thread(target=keep_input, daemon=True).start()
stream, lines = Stream(seed), 0
count = os.open(path("out"), os.O_CREAT | os.O_WRONLY)
while not os.path.exists(path("stop")):
    time.sleep(TICK)
    if os.path.exists(path("enough")):
        continue
    some = max(1, int(rate * TICK / LINE))
    write(b"".join(stream.line(lines + i) for i in range(some)))
    lines += some
    os.pwrite(count, b"%20d" % (lines * LINE), 0)
