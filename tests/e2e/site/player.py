"""player.py CA URL SECONDS - watches an adaptive video (site/make.py) for so long: one connection kept open, a buffer of eight
seconds filled at once, then one segment of two seconds whenever there is room, in the quality that the throughput allows."""

import http.client
import ssl
import sys
import time
import urllib.parse

SEGMENT_SECONDS, BUFFER_SECONDS = 2, 8
HIGH_FROM = 2_000_000  # bit/s


def main():
    authority, url, seconds = sys.argv[1], urllib.parse.urlsplit(sys.argv[2]), float(sys.argv[3])
    context = ssl.create_default_context(cafile=authority)
    connection = http.client.HTTPSConnection(url.hostname, context=context, timeout=20)
    begin = time.monotonic()
    quality, number = "low", 0
    while time.monotonic() - begin < seconds:
        start = time.monotonic()
        connection.request("GET", f"{url.path}{quality}/{number}.m4s")
        answer = connection.getresponse()
        octets = len(answer.read())
        if answer.status != 200:
            break
        number += 1
        quality = "high" if octets * 8 / (time.monotonic() - start) > HIGH_FROM else "low"
        buffered = number * SEGMENT_SECONDS - (time.monotonic() - begin)
        time.sleep(max(0, buffered - BUFFER_SECONDS))
    connection.close()


main()
