"""Writes numbered lines, so many bytes in a second, until it is ended: flood.py BYTES_PER_SECOND"""
import sys
import time

TICK = 0.01
LINE = 64
lines = max(1, int(float(sys.argv[1]) * TICK / LINE))
n, due = 0, time.monotonic()
while True:
    text = "".join("%0*d\n" % (LINE - 1, n + i) for i in range(lines))
    sys.stdout.write(text)
    sys.stdout.flush()
    n += lines
    due = max(due + TICK, time.monotonic() - 0.1)
    time.sleep(max(0, due - time.monotonic()))
