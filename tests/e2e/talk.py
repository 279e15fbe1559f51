"""talk.py serve ADDRESS PORT, or connect ADDRESS PORT NETWORK N - N connections one after the other, each from another address of
NETWORK (three numbers of it), with a request and an answer of some packets each."""

import socket
import sys

OCTETS = 10000


def receive(connection):
    left = OCTETS
    while left > 0:
        left -= len(connection.recv(left))


def serve(address, port):
    with socket.create_server((address, port)) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                receive(connection)
                connection.sendall(bytes(OCTETS))


def connect(address, port, network, n):
    for host in range(1, n + 1):
        with socket.create_connection((address, port), timeout=10, source_address=(f"{network}.{host}", 0)) as connection:
            connection.sendall(bytes(OCTETS))
            receive(connection)


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    connect(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
