"""make_flows.py FLOWS OUT.pcap - many short conversations, no two with the same 5-tuple; the same octets every time.

In turn: a query and an answer over UDP; a TCP connection from SYN to the last ACK, with a request and a response of 100 and 700
octets. 9 packets every two flows, 10 microseconds apart. Addresses are of the benchmark range (RFC 2544).
"""

import struct
import sys

ETHERNET = bytes.fromhex("020000000002" "020000000001" "0800")
BACK = bytes.fromhex("020000000001" "020000000002" "0800")
TCP, UDP = 6, 17
FIN, SYN, PSH, ACK = 1, 2, 8, 16
REQUEST, RESPONSE = 100, 700


def ip(protocol, source, destination, number, content):
    total = 20 + len(content)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, number & 0xFFFF, 0x4000, 64, protocol, 0, source, destination)
    check = sum(struct.unpack("!10H", header))
    check = (check & 0xFFFF) + (check >> 16)
    check = ~((check & 0xFFFF) + (check >> 16)) & 0xFFFF
    return header[:10] + struct.pack("!H", check) + header[12:] + content


def udp(source, destination, octets):
    return struct.pack("!HHHH", source, destination, 8 + octets, 0) + bytes(octets)


def tcp(source, destination, sequence, acknowledged, flags, octets=0):
    return struct.pack("!HHIIBBHHH", source, destination, sequence, acknowledged, 5 << 4, flags, 64240, 0, 0) + bytes(octets)


def conversation(number):
    """(from the client?, protocol, what IP carries) of each packet."""
    port = 1024 + number % 60000
    if number % 2 == 0:
        return (True, UDP, udp(port, 53, 40)), (False, UDP, udp(53, port, 120))
    return ((True, TCP, tcp(port, 443, 1, 0, SYN)), (False, TCP, tcp(443, port, 1, 2, SYN | ACK)),
            (True, TCP, tcp(port, 443, 2, 2, PSH | ACK, REQUEST)),
            (False, TCP, tcp(443, port, 2, 2 + REQUEST, PSH | ACK, RESPONSE)),
            (True, TCP, tcp(port, 443, 2 + REQUEST, 2 + RESPONSE, FIN | ACK)),
            (False, TCP, tcp(443, port, 2 + RESPONSE, 3 + REQUEST, FIN | ACK)),
            (True, TCP, tcp(port, 443, 3 + REQUEST, 3 + RESPONSE, ACK)))


def main():
    packets = 0
    with open(sys.argv[2], "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(int(sys.argv[1])):
            client = struct.pack("!HH", 0xC612, number // 60000 + 1)
            server = struct.pack("!HH", 0xC613, number % 251 + 1)
            for outwards, protocol, content in conversation(number):
                ends = (client, server) if outwards else (server, client)
                frame = (ETHERNET if outwards else BACK) + ip(protocol, *ends, packets, content)
                time = packets * 10
                out.write(struct.pack("<IIII", time // 1000000, time % 1000000, len(frame), len(frame)) + frame)
                packets += 1


if __name__ == "__main__":
    main()
