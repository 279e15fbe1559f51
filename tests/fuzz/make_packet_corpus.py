#!/usr/bin/env python3
"""make_packet_corpus.py DIR - seeds for the fuzz targets packet, tunnel, fragment and capture, one folder each below DIR.

Each seed is written header by header here; what a fuzzer found on top of them is kept beside them as found_*.
"""
import os
import struct
import sys

LINKS = ["ethernet", "null", "loop", "raw", "ipv4", "ipv6", "cooked", "cooked2", "ppp", "serial", "pppoe", "hdlc", "wireless",
         "radiotap", "ppi", "unknown"]  # order of link_types[] in fuzz_packet.c


def u16(value):
    return struct.pack(">H", value)


def ethernet(kind):
    return b"\x02" * 12 + u16(kind)


def ip4(protocol, payload, part=0, ident=1):
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(payload), ident, part, 64, protocol, 0, 0x0A000001, 0x0A000002) + payload


def ip6(following, payload):
    return struct.pack(">IHBB", 0x60000000, len(payload), following, 63) + b"\x20\x01" * 8 + b"\x20\x02" * 8 + payload


def udp(payload, port=53):
    return struct.pack(">HHHH", 1000, port, 8 + len(payload), 0) + payload


def tcp(payload, flags=0x10, options=b""):
    return struct.pack(">HHIIBBHHH", 1000, 80, 7, 9, (5 + len(options) // 4) << 4, flags, 8192, 0, 0) + options + payload


DNS = bytes.fromhex("1234010000010000000000000377777706676f6f676c6503636f6d0000010001")
FOUR = ip4(17, udp(DNS))
SIX = ip6(6, tcp(b"GET / HTTP/1.1\r\n"))
SYN = ip4(6, tcp(b"", 2, bytes.fromhex("020405b40402080a000000010000000001030307")))
HELLO = ip4(6, tcp(bytes.fromhex("160303003001000000")))
LABEL = bytes.fromhex("00001040")
LAST_LABEL = bytes.fromhex("00002140")
SNAP4 = bytes.fromhex("aaaa030000000800")

CONTENT = {  # behind an Ethernet header of the type
    "four": (0x0800, FOUR), "six": (0x86DD, SIX), "syn": (0x0800, SYN), "hello": (0x0800, HELLO), "arp": (0x0806, bytes(28)),
    "vlan": (0x8100, u16(7) + u16(0x0800) + FOUR),
    "qinq": (0x88A8, u16(7) + u16(0x8100) + u16(8) + u16(0x86DD) + SIX),
    "old_tag": (0x9100, u16(7) + u16(0x8100) + u16(8) + u16(0x0800) + FOUR),
    "mpls": (0x8847, LABEL + LABEL + LAST_LABEL + FOUR),
    "pseudowire": (0x8847, LAST_LABEL + bytes(4) + ethernet(0x0800) + FOUR),
    "pppoe": (0x8864, bytes.fromhex("110000010040") + u16(0x0021) + FOUR),
    "llc": (46, SNAP4 + FOUR),
    "gre": (0x0800, ip4(47, u16(0) + u16(0x0800) + FOUR)),
    "gre_options": (0x0800, ip4(47, u16(0xB000) + u16(0x86DD) + bytes(12) + SIX)),
    "gre_ethernet": (0x0800, ip4(47, u16(0) + u16(0x6558) + ethernet(0x0800) + FOUR)),
    "pptp": (0x0800, ip4(47, u16(0x3081) + u16(0x880B) + bytes(12) + u16(0x0021) + FOUR)),
    "four_in_four": (0x0800, ip4(4, FOUR)), "six_in_four": (0x0800, ip4(41, SIX)),
    "four_in_six": (0x86DD, ip6(4, FOUR)), "six_in_six": (0x86DD, ip6(41, ip6(41, SIX))),
    "vxlan": (0x0800, ip4(17, udp(bytes.fromhex("0800000000000700") + ethernet(0x0800) + FOUR, 4789))),
    "gtp": (0x0800, ip4(17, udp(bytes.fromhex("30ff004000000001") + FOUR, 2152))),
    "gtp_extensions": (0x0800, ip4(17, udp(bytes.fromhex("34ff00400000000100000085") + bytes.fromhex("0100000001000000") + SIX, 2152))),
    "extensions": (0x86DD, ip6(0, bytes.fromhex("2b00010400000000") + bytes.fromhex("3c00010400000000")
                               + bytes.fromhex("1101010c00000000") + bytes(8) + udp(DNS))),
    "authenticated": (0x86DD, ip6(51, bytes.fromhex("11010000") + bytes(8) + udp(DNS))),
    "encrypted": (0x86DD, ip6(50, bytes(32))), "no_next": (0x86DD, ip6(59, b"")),
    "offload": (0x0800, FOUR[:2] + u16(0) + FOUR[4:]),
    "jumbo": (0x86DD, ip6(0, bytes.fromhex("1100c20400000030") + udp(DNS))[:4] + u16(0) + ip6(0, bytes.fromhex("1100c20400000030") + udp(DNS))[6:]),
    "endless": (0x86DD, ip6(0, bytes(300))),
    "icmp": (0x0800, ip4(1, bytes([8, 0]) + bytes(20))), "icmp6": (0x86DD, ip6(58, bytes([128, 0]) + bytes(20))),
}

LINK_FRAMES = {
    "null": struct.pack("<I", 2) + FOUR, "loop": struct.pack(">I", 24) + SIX, "raw": SIX, "ipv4": FOUR, "ipv6": SIX,
    "cooked": bytes(14) + u16(0x0800) + FOUR, "cooked2": u16(0x86DD) + bytes(18) + SIX,
    "ppp": bytes.fromhex("ff030021") + FOUR, "serial": bytes.fromhex("0f000800") + FOUR,
    "pppoe": bytes.fromhex("1100000100400021") + FOUR, "hdlc": bytes.fromhex("8f0086dd") + SIX,
    "wireless": b"\x88\x01" + bytes(24) + SNAP4 + FOUR,
    "radiotap": bytes.fromhex("0000190003000080") + bytes(16) + b"\x20" + b"\x88\x01" + bytes(26) + SNAP4 + FOUR,
    "ppi": bytes.fromhex("0000080001000000") + ethernet(0x0800) + FOUR, "unknown": FOUR,
}


def frames(link, rules, *all_frames):
    choice = LINKS.index(link) << 1 | rules
    return bytes([choice]) + b"".join(u16(len(frame)) + u16(gap) + frame for gap, frame in all_frames)


def packet_seeds():
    for name, (kind, content) in CONTENT.items():
        for rules in (0, 1):
            yield f"{name}_{'joy' if rules == 0 else 'ours'}", frames("ethernet", rules, (2, ethernet(kind) + content))
    for link, frame in LINK_FRAMES.items():
        yield f"link_{link}", frames(link, 1, (2, frame))
    whole = udp(bytes(56), 2000)
    parts4 = [ethernet(0x0800) + ip4(17, whole[i:i + 24], i // 8 | (0x2000 if i + 24 < 64 else 0)) for i in range(0, 64, 24)]
    parts6 = [ethernet(0x86DD) + ip6(44, struct.pack(">BBHI", 17, 0, i | (i + 24 < 64), 77) + whole[i:i + 24])
              for i in range(0, 64, 24)]
    yield "fragments4", frames("ethernet", 1, *((2, part) for part in parts4))
    yield "fragments4_backwards", frames("ethernet", 1, *((2, part) for part in reversed(parts4)))
    yield "fragments6", frames("ethernet", 1, *((2, part) for part in parts6))
    yield "fragments_late", frames("ethernet", 1, (2, parts4[2]), (6000, parts6[0]), (6000, parts4[0]))
    yield "fragments_joy", frames("ethernet", 0, *((2, part) for part in parts4))


def tunnel_seeds():
    for name, (kind, content) in CONTENT.items():
        yield name, u16(kind) + b"\x06" + u16(0) + content
    for name in ("gre", "gre_options", "gre_ethernet", "pptp"):
        yield "in_" + name, u16(0x0800) + b"\x2f" + u16(0) + CONTENT[name][1][20:]
    yield "in_vxlan", u16(0x0800) + b"\x11" + u16(4789) + CONTENT["vxlan"][1][20:]
    yield "in_gtp", u16(0x0800) + b"\x11" + u16(2152) + CONTENT["gtp_extensions"][1][20:]


def fragment_seeds():
    def step(ident, flags, offset, length, gap=0):
        return struct.pack(">BBHHH", ident, flags, offset // 8, length, gap)
    yield "in_order", step(1, 1, 0, 64) + step(1, 1, 64, 64) + step(1, 0, 128, 5)
    yield "backwards", step(1, 0, 128, 5) + step(1, 1, 64, 64) + step(1, 1, 0, 64)
    yield "tcp", step(1, 5, 0, 64) + step(1, 5, 64, 64) + step(1, 4, 128, 5)
    yield "six", step(1, 3, 0, 64) + step(1, 2, 64, 7)
    yield "overlap", step(1, 1, 0, 64) + step(1, 1, 56, 64) + step(1, 0, 64, 8) + step(2, 1, 0, 4)
    yield "death", step(1, 1, 0, 64) + step(1, 0, 65528, 100)
    yield "late", step(1, 1, 64, 64) + step(2, 1, 0, 64, 400) + step(1, 9, 0, 64, 400)
    yield "holes", b"".join(step(1, 1, 32 * i, 8) for i in range(1, 12)) + step(1, 1, 0, 8)
    yield "many", b"".join(step(i, 1, 64, 64) for i in range(256))


def capture_seeds():
    frame = ethernet(0x0800) + FOUR
    for order in "<>":
        head = struct.pack(order + "IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1000, 1)
        yield f"pcap_{'little' if order == '<' else 'big'}", head + 2 * (struct.pack(order + "IIII", 7, 8, len(frame), len(frame)) + frame)

        def block(kind, body, o=order):
            body += bytes(-len(body) % 4)
            return struct.pack(o + "II", kind, len(body) + 12) + body + struct.pack(o + "I", len(body) + 12)

        def option(code, value, o=order):
            return struct.pack(o + "HH", code, len(value)) + value + bytes(-len(value) % 4)

        def packet(number, o=order):
            return block(6, struct.pack(o + "IIIII", number, 0, 9, len(frame), len(frame)) + frame)

        section = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        plain = block(1, struct.pack(order + "HHI", 1, 0, 1000))
        name = "little" if order == "<" else "big"
        yield f"ng_{name}", section + plain + packet(0) + packet(0)
        for what, options in (("resolution", option(9, b"\x14")), ("twice", option(9, b"\x06") * 2),
                              ("offset", option(14, bytes(4))), ("end", option(0, bytes(4)))):
            bad = block(1, struct.pack(order + "HHI", 1, 0, 1000) + options)
            yield f"ng_{name}_{what}", section + plain + bad + packet(1) + packet(0) + section + plain + bad + packet(1)


def main(folder):
    for target, seeds in (("packet", packet_seeds()), ("tunnel", tunnel_seeds()), ("fragment", fragment_seeds()),
                          ("capture", capture_seeds())):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for name, content in seeds:
            with open(os.path.join(folder, target, name), "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
