"""notify.py SOCKET - be the service manager: print what comes to NOTIFY_SOCKET, one assignment a line."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    while True:
        print(manager.recv(4096).decode(), flush=True)
