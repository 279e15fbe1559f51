"""make_encapsulated.py PAIRS OUT.pcap - conversations between PAIRS pairs of hosts in everything that is looked through, in
fragments and in ESP; the same octets every time.

Each conversation has three datagrams in either direction, 5 milliseconds apart. What distributes flows over workers must not mind
that the outer UDP ports of VXLAN, the indexes of ESP and the labels of MPLS differ between the directions, and that fragments have
no ports.
"""

import struct
import sys

from make_flows import BACK, ETHERNET, UDP, ip, udp

IPIP, IPV6, GRE, ESP, FRAGMENT, DESTINATION_OPTIONS = 4, 41, 47, 50, 44, 60
TURNS = 6


def ip6(following, source, destination, content, label=0):
    ends = b"".join(b"\x20\x01\x0d\xb8" + bytes(8) + end for end in (source, destination))
    return struct.pack("!IHBB", 0x60000000 | label, len(content), following, 64) + ends + content


def part4(protocol, source, destination, number, content, part):
    packet = bytearray(ip(protocol, source, destination, number, content))
    packet[6:8] = struct.pack("!H", part)
    return bytes(packet)


class Turn:
    """One datagram of a conversation: where it comes from and goes to, inside and outside of a tunnel."""

    def __init__(self, pair, turn):
        self.number, self.back = pair * TURNS + turn, turn % 2
        near, far = 0xC612_0000 + pair + 1, 0xC613_0000 + pair * 3 + 1
        outer = 0xC612_8001, 0xC613_8001 + pair % 4
        self.source, self.destination = self.ends(near, far)
        self.outside = self.ends(*outer)
        ports = (53, 2000 + pair) if self.back else (2000 + pair, 53)
        self.datagram = udp(*ports, 40 + turn)
        self.inside4 = ip(UDP, self.source, self.destination, self.number, self.datagram)
        # One end of a connection sets flow labels, the other one does not.
        self.inside6 = ip6(UDP, self.source, self.destination, self.datagram, 0 if self.back else 0x12345 + pair)
        self.entropy = 40000 + pair * 2 + self.back

    def ends(self, near, far):
        pair = (far, near) if self.back else (near, far)
        return tuple(struct.pack("!I", end) for end in pair)

    def outer4(self, protocol, content):
        return ip(protocol, *self.outside, self.number, content)

    def ethernet(self, kind):
        return (BACK if self.back else ETHERNET)[:12] + struct.pack("!H", kind)


def tunnel_udp(turn, port, content):
    return turn.outer4(UDP, struct.pack("!HHHH", turn.entropy, port, 8 + len(content), 0) + content)


def vxlan(turn, kind, content):
    return tunnel_udp(turn, 4789, struct.pack("!II", 0x08000000, 0x700) + turn.ethernet(kind) + content)


def gtp(turn, content):
    return tunnel_udp(turn, 2152, struct.pack("!BBHII", 0x34, 255, len(content) + 8, 7, 0x85) + b"\1\0\1\0" + content)


def fragments4(turn):
    data = turn.datagram + bytes(1600)
    return [(0x0800, part4(UDP, turn.source, turn.destination, turn.number, data[at : at + 800],
                           at // 8 | (0x2000 if at + 800 < len(data) else 0))) for at in range(0, len(data), 800)]


def fragments6(turn):
    data = turn.datagram + bytes(1600)
    return [(0x86DD, ip6(FRAGMENT, turn.source, turn.destination, struct.pack(
        "!BBHI", UDP, 0, at | (at + 800 < len(data)), turn.number) + data[at : at + 800])) for at in range(0, len(data), 800)]


def label(turn, bottom):
    return struct.pack("!I", (0x100 + 7 * turn.back) << 12 | bottom << 8 | 64)


FRAMES = (  # what a datagram becomes: EtherType and what is behind it, of each frame
    lambda turn: [(0x0800, turn.inside4)],
    lambda turn: [(0x86DD, turn.inside6)],
    lambda turn: [(0x8100, struct.pack("!HH", 5, 0x0800) + turn.inside4)],
    lambda turn: [(0x88A8, struct.pack("!HHHH", 5, 0x8100, 6, 0x86DD) + turn.inside6)],
    lambda turn: [(0x8847, label(turn, 0) + label(turn, 1) + turn.inside4)],
    lambda turn: [(0x8847, label(turn, 1) + bytes(4) + turn.ethernet(0x86DD) + turn.inside6)],
    lambda turn: [(0x8864, struct.pack("!HHHH", 0x1100, 3, 2 + len(turn.inside4), 0x21) + turn.inside4)],
    lambda turn: [(0x0800, turn.outer4(IPIP, turn.inside4))],
    lambda turn: [(0x0800, turn.outer4(IPV6, turn.inside6))],
    lambda turn: [(0x86DD, ip6(DESTINATION_OPTIONS, *turn.outside, struct.pack("!BBBBI", IPIP, 0, 1, 4, 0) + turn.inside4))],
    lambda turn: [(0x0800, turn.outer4(GRE, struct.pack("!HHI", 0x2000, 0x0800, 9) + turn.inside4))],
    lambda turn: [(0x0800, turn.outer4(GRE, struct.pack("!HH", 0, 0x6558) + turn.ethernet(0x86DD) + turn.inside6))],
    lambda turn: [(0x0800, vxlan(turn, 0x0800, turn.inside4))],
    lambda turn: [(0x0800, vxlan(turn, 0x86DD, turn.inside6))],
    lambda turn: [(0x0800, gtp(turn, turn.inside4))],
    lambda turn: [(0x0800, ip(ESP, turn.source, turn.destination, turn.number, struct.pack("!II", 7 + turn.back, 1) + bytes(64)))],
    fragments4,
    fragments6,
)


def main():
    pairs = int(sys.argv[1])
    time = 0
    with open(sys.argv[2], "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for turn in range(TURNS):
            for pair in range(pairs * len(FRAMES)):
                this = Turn(pair, turn)
                for kind, content in FRAMES[pair % len(FRAMES)](this):
                    frame = this.ethernet(kind) + content
                    out.write(struct.pack("<IIII", time // 1000000, time % 1000000, len(frame), len(frame)) + frame)
                    time += 20
            time += 5000


main()
