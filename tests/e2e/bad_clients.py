"""bad_clients.py SOCKET CLIENTS - clients of the control socket as nobody wants them, one after the other and all at once.

They vanish without a word or in the middle of one, send what is no request or never ends, and ask without reading the answers.
Connections stay open until the last client came, as long as the daemon lets them. Prints how many got which kind of answer.
"""

import collections
import random
import socket
import sys

KINDS = {
    "vanishes": b"",
    "vanishes in the middle": b'{"command": "sta',
    "sends garbage": None,
    "never ends a line": b"x" * 100000,
    "asks for what there is not": b'{"command": "nothing", "arguments": [1e999]}\n[]\n"stats\n',
    "floods and does not read": b"stats\nmetrics\n" * 5000,
    "watches and does not read": b"watch\n",
}


def misbehave(kind, path):
    """What the daemon answered at once, and the connection if it is kept."""
    text = KINDS[kind]
    if text is None:
        text = random.randbytes(2000) + b"\n"
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(0.05)
    outcome = "no answer"
    try:
        client.connect(path)
        client.sendall(text)
        if kind in ("sends garbage", "asks for what there is not"):
            outcome = "NOK" if b'"NOK"' in client.recv(4096) else "cut off"
    except TimeoutError:
        outcome = "not read"
    except OSError:
        outcome = "cut off"
    if kind.startswith("vanishes"):
        client.close()
    return outcome, client


def main():
    random.seed(1)
    outcomes = collections.Counter()
    clients = []
    for number in range(int(sys.argv[2])):
        outcome, client = misbehave(list(KINDS)[number % len(KINDS)], sys.argv[1])
        outcomes[outcome] += 1
        clients.append(client)
    print("   ", ", ".join(f"{outcome} {n}" for outcome, n in sorted(outcomes.items())))


main()
