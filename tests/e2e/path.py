"""path.py LEFT RIGHT TABLE - a stretch of Internet between two TAP devices that it makes: delay, jitter, rate and routers.

Frames that enter one device leave the other, no earlier than their turn. What happens to them depends on the address on the
RIGHT side. TABLE is a file with one line a network, the first that fits decides; lines of '#' and empty ones do not count:

    NETWORK  ONE-WAY-DELAY-MS  JITTER-MS  RATE-MBIT/S  HOPS

Jitter never reorders. A frame that would wait longer than a quarter second for the rate is lost, as in a router's queue.
HOPS is taken off the TTL or hop limit, as that many routers would.
(A queueing discipline of the kernel, netem, does most of this; not every kernel has it, and it does not age the TTL.)
"""

import fcntl
import heapq
import ipaddress
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
QUEUE_SECONDS = 0.25


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Line:
    """One direction of the path to one network."""

    def __init__(self, delay, jitter, rate, hops):
        self.delay, self.jitter, self.rate, self.hops = delay / 1e3, jitter / 1e3, rate * 1e6 / 8, hops
        self.free = 0.0  # when the slowest link has sent all that came before
        self.last = 0.0  # when the frame before leaves

    def departure(self, now, octets):
        """When a frame leaves, or None if the queue is full."""
        if self.free - now > QUEUE_SECONDS:
            return None
        self.free = max(self.free, now) + octets / self.rate
        self.last = max(self.last, self.free + self.delay + random.uniform(0, self.jitter))
        return self.last


def age(frame, at, hops):
    """Take `hops` off the octet at `at`; for IPv4 the header checksum follows (RFC 1624)."""
    if frame[at] <= hops:
        return False
    frame[at] -= hops
    if at == 22:
        total = struct.unpack_from("!H", frame, 24)[0] + (hops << 8)
        struct.pack_into("!H", frame, 24, (total & 0xFFFF) + (total >> 16))
    return True


class Path:
    def __init__(self, table):
        self.rules = []
        for row in open(table):
            row = row.split("#")[0].split()
            if row:
                numbers = [float(number) for number in row[1:4]] + [int(row[4])]
                self.rules.append((ipaddress.ip_network(row[0]), Line(*numbers), Line(*numbers)))
        self.known = {}

    def lines(self, address):
        """(towards RIGHT, towards LEFT) of an address, None if no network fits."""
        if address not in self.known:
            host = ipaddress.ip_address(address)
            self.known[address] = next((rule[1:] for rule in self.rules if host in rule[0]), None)
        return self.known[address]

    def schedule(self, frame, to_right, now):
        """When to let a frame out on the other side; None to lose it. Whatever is not IP (ARP) goes at once, and so does what
        neighbours say among themselves: multicast, and what has the hop limit 255 that nothing from afar can have."""
        kind = frame[12:14]
        if kind == b"\x08\x00":
            ttl, source, destination = 22, bytes(frame[26:30]), bytes(frame[30:34])
        elif kind == b"\x86\xdd" and frame[38] != 0xFF and frame[21] != 255:
            ttl, source, destination = 21, bytes(frame[22:38]), bytes(frame[38:54])
        else:
            return now
        lines = self.lines(destination if to_right else source)
        if not lines:
            return now
        line = lines[0 if to_right else 1]
        return line.departure(now, len(frame)) if age(frame, ttl, line.hops) else None


def main():
    path = Path(sys.argv[3])
    random.seed(1)
    left, right = open_tap(sys.argv[1]), open_tap(sys.argv[2])
    poll = select.poll()
    poll.register(left, select.POLLIN)
    poll.register(right, select.POLLIN)
    waiting = []  # (when, number, device, frame)
    number = 0
    print("ready", flush=True)
    while True:
        wait = max(0, (waiting[0][0] - time.monotonic()) * 1e3) if waiting else None
        for fd, _ in poll.poll(wait):
            while True:
                try:
                    frame = bytearray(os.read(fd, 65536))
                except OSError:
                    break
                when = path.schedule(frame, fd == left, time.monotonic())
                if when is not None:
                    number += 1
                    heapq.heappush(waiting, (when, number, right if fd == left else left, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, fd, frame = heapq.heappop(waiting)
            try:
                os.write(fd, frame)
            except OSError:
                pass  # the device is down, or its queue is full: lost


main()
