"""tally_flows.py capture|verdicts FILE - what each end of each conversation sent, counted two ways that share nothing.

One line a 5-tuple and end: protocol, the end, its peer, packets, octets of payload. `capture` counts packets of a capture of
Ethernet frames with TCP, UDP and ICMP over IPv4 and IPv6, no tunnels, fragments and extension headers, less the segments that TCP
sent again; `verdicts` adds up the flows of a verdict log. Where these were named from that capture, both print the same.
"""

import collections
import ipaddress
import json
import struct
import sys

TCP, UDP = 6, 17
PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "IPv6-ICMP"}


def packets(name):
    """(protocol, source, destination, octets of payload) of each packet."""
    segments = set()
    with open(name, "rb") as file:
        file.read(24)
        while header := file.read(16):
            captured = struct.unpack("<IIII", header)[2]
            frame = file.read(captured)
            kind = struct.unpack_from("!H", frame, 12)[0]
            if kind == 0x0800:
                at, protocol = 14 + (frame[14] & 15) * 4, frame[23]
                end = 14 + struct.unpack_from("!H", frame, 16)[0]
                source, destination = frame[26:30], frame[30:34]
            elif kind == 0x86DD:
                at, protocol = 54, frame[20]
                end = 54 + struct.unpack_from("!H", frame, 18)[0]
                source, destination = frame[22:38], frame[38:54]
            else:
                continue
            if protocol not in PROTOCOLS:
                continue
            ports = struct.unpack_from("!HH", frame, at) if protocol in (TCP, UDP) else (0, 0)
            octets = end - at - ((frame[at + 12] >> 4) * 4 if protocol == TCP else 8)
            if protocol == TCP and octets > 0:
                segment = source, destination, ports, frame[at + 4 : at + 8]
                if segment in segments:
                    continue
                segments.add(segment)
            yield (PROTOCOLS[protocol], (str(ipaddress.ip_address(source)), ports[0]),
                   (str(ipaddress.ip_address(destination)), ports[1]), octets)


def verdicts(name):
    """(protocol, source, destination, packets and octets to the server, packets and octets to the client) of each flow."""
    for line in open(name):
        event = json.loads(line)
        if event["event_type"] == "flowclass":
            flow = event["flow"]
            yield (event["proto"], (event["src_ip"], event.get("src_port", 0)), (event["dest_ip"], event.get("dest_port", 0)),
                   (flow["pkts_toserver"], flow["bytes_toserver"]), (flow["pkts_toclient"], flow["bytes_toclient"]))


def main():
    sent = collections.defaultdict(lambda: [0, 0])

    def add(protocol, end, peer, n_packets, octets):
        if n_packets:
            total = sent[protocol, end, peer]
            total[0] += n_packets
            total[1] += octets

    if sys.argv[1] == "capture":
        for protocol, source, destination, octets in packets(sys.argv[2]):
            add(protocol, source, destination, 1, octets)
    else:
        for protocol, source, destination, to_server, to_client in verdicts(sys.argv[2]):
            add(protocol, source, destination, *to_server)
            add(protocol, destination, source, *to_client)
    for (protocol, end, peer), (n_packets, octets) in sorted(sent.items()):
        print(protocol, *end, *peer, n_packets, octets)


main()
