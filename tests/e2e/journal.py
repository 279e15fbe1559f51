#!/usr/bin/env python3
"""journal.py SOCKET LOG - stands for journald: takes entries at a socket, and appends the verdicts among them to a file, as lines
that sums.py reads. Counters are lines of their own kind there."""
import json
import os
import socket
import sys

path, log = sys.argv[1:3]


def fields(entry):
    """NAME=value lines; a value of several lines stands behind its length."""
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8:8 + size], rest[9 + size:]
        yield name.decode(), value.decode()
        entry = rest


def pick(entry, *keys):
    """Those of the fields FLOWCLASS_KEY that there are, by the names that they have in the log."""
    return {key.lower(): entry[f"FLOWCLASS_{key}"] for key in keys if f"FLOWCLASS_{key}" in entry}


if os.path.exists(path):
    os.unlink(path)
os.makedirs(os.path.dirname(path), exist_ok=True)
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.bind(path)
with open(log, "a", buffering=1) as out:
    while True:
        entry = dict(fields(peer.recv(1 << 17)))
        assert len(entry["MESSAGE_ID"]) == 32 and entry["SYSLOG_IDENTIFIER"] == "flowclassd"
        event = {"event_type": entry["FLOWCLASSD_EVENT"]}
        if event["event_type"] == "verdict":
            event = {"event_type": entry["FLOWCLASS_EVENT_TYPE"],
                     **pick(entry, "SRC_IP", "DEST_IP", "PROTO", "COMMUNITY_ID"),
                     "flow": {key: int(n) for key, n in pick(entry, "PKTS_TOSERVER", "PKTS_TOCLIENT").items()},
                     "flowclass": pick(entry, "STATE", "LABEL", "CONFIDENCE", "MODEL", "CAUSE")}
        out.write(json.dumps(event) + "\n")
