"""swap_models.py SOCKET LINK N PAUSE MODEL... - point LINK to one MODEL after the other, and have the daemon load it, N times, with PAUSE
seconds in between: in less than that a fast machine would be through before the first flow has ended."""

import itertools
import json
import os
import socket
import sys
import time

path, link, times, pause, *models = sys.argv[1:]
for number, model in zip(range(int(times)), itertools.cycle(models)):
    os.symlink(model, f"{link}.new")
    os.replace(f"{link}.new", link)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(path)
        daemon.sendall(b"reload\n")
        answer = json.loads(daemon.makefile().readline())
    if answer["return"] != "OK":
        sys.exit(f"reload {number}: {answer}")
    time.sleep(float(pause))
