"""trim.py IN.pcap OUT.pcap - make a capture of Ethernet frames small: of the first packets of each flow's direction that carry
data (the hellos of TLS and QUIC) the whole is kept, of others the headers and a few octets of payload. The lengths on the wire
stay in the packet headers, so that flow records are the same."""

import collections
import struct
import sys

WHOLE_PACKETS = 2  # of each direction of a flow
PAYLOAD_OCTETS = 4
TCP, UDP = 6, 17


def split(frame):
    """(key of the direction of the flow, length of the headers, length of the payload), or None for what is not TCP or UDP over
    IP: that is kept whole."""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        protocol, at = frame[23], 14 + (frame[14] & 15) * 4
        end, addresses = 14 + struct.unpack_from("!H", frame, 16)[0], frame[26:34]
    elif kind == b"\x86\xdd":
        protocol, at = frame[20], 54
        end, addresses = 54 + struct.unpack_from("!H", frame, 18)[0], frame[22:54]
    else:
        return None
    if protocol == TCP:
        header = (frame[at + 12] >> 4) * 4
    elif protocol == UDP:
        header = 8
    else:
        return None
    return (protocol, addresses, frame[at : at + 4]), at + header, end - at - header


def main():
    whole = collections.Counter()
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        target.write(source.read(24))
        while header := source.read(16):
            seconds, fraction, captured, wire = struct.unpack("<IIII", header)
            frame = source.read(captured)
            parts = split(frame)
            if parts:
                key, headers, payload = parts
                whole[key] += payload > 0
                if payload > 0 and whole[key] > WHOLE_PACKETS:
                    frame = frame[: headers + PAYLOAD_OCTETS]
            target.write(struct.pack("<IIII", seconds, fraction, len(frame), wire) + frame)


main()
