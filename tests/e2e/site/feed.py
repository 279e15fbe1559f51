"""feed.py PORT - the part of the social site that is not files, behind a web server that does TLS:

    /feed     some posts as JSON
    /events   an event stream (text/event-stream): a message every second or two, for as long as the client stays
    /socket   the same as a web socket (RFC 6455)
"""

import asyncio
import base64
import hashlib
import json
import random
import struct
import sys

WEB_SOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def text():
    return "word " * random.randint(10, 100)


async def answer(writer, kind, body):
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def messages(writer, frame):
    while True:
        writer.write(frame(text().encode()))
        await writer.drain()
        await asyncio.sleep(random.uniform(0.4, 2.5))


async def event_stream(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n")
    await messages(writer, lambda data: b"data: " + data + b"\n\n")


async def web_socket(reader, writer, key):
    accept = base64.b64encode(hashlib.sha1(key + WEB_SOCKET_GUID).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    async def ignore_what_comes():
        while await reader.read(4096):
            pass
        raise ConnectionError

    await asyncio.gather(ignore_what_comes(), messages(writer, lambda data: struct.pack("!BBH", 0x81, 126, len(data)) + data))


async def serve(reader, writer):
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            path = lines[0].split()[1]
            fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
            key = next((value for name, value in fields.items() if name.lower() == b"sec-websocket-key"), None)
            if path.startswith(b"/events"):
                await event_stream(writer)
            elif path.startswith(b"/socket") and key:
                await web_socket(reader, writer, key)
            posts = [{"id": random.randrange(10**9), "text": text()} for _ in range(6)]
            await answer(writer, "application/json", json.dumps(posts).encode())
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()


random.seed(2)
asyncio.run(main())
