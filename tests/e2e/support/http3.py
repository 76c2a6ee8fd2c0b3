"""A viewer over HTTP/3 who is not of our making: fetches a title whole, and asks what no viewer should.

http3.py PORT AUTHORITY_CERTIFICATE NAME /path/of/a/multivariant/playlist
"""
import asyncio
import json
import posixpath
import re
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration


class Viewer(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        for it in self.http.handle_event(event):
            done, fields, octets = self.answers[it.stream_id]
            if isinstance(it, HeadersReceived):
                fields.update(it.headers)
            if isinstance(it, DataReceived):
                octets.extend(it.data)
            if it.stream_ended and not done.done():
                done.set_result((int(fields[b":status"]), fields, bytes(octets)))

    async def get(self, path, authority=None, fields=()):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = (asyncio.get_running_loop().create_future(), {}, bytearray())
        pseudo = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", (authority or self._quic.configuration.server_name).encode()), (b":path", path.encode())]
        self.http.send_headers(stream, pseudo + list(fields), end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self.answers[stream][0], 20)


def uris(playlist):
    return [it for it in playlist.decode().splitlines() if it and not it.startswith("#")]


async def main(port, authority, name, path):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], cafile=authority, server_name=name)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Viewer) as viewer:
        _, _, multivariant = await viewer.get(path)
        media = posixpath.join(posixpath.dirname(path), uris(multivariant)[0])
        _, _, playlist = await viewer.get(media)
        init = re.search(r'EXT-X-MAP:URI="([^"]+)"', playlist.decode())[1]
        segments = [posixpath.join(posixpath.dirname(media), it) for it in [init, *uris(playlist)]]
        answers = await asyncio.gather(*(viewer.get(it) for it in segments))
        rude = [
            (await viewer.get("/", authority="user@" + name))[0],
            (await viewer.get(path, fields=[(b"content-length", b"5")]))[0],
            (await viewer.get("/" + "a" * 9000))[0],
        ]
        print(json.dumps({
            "segments": segments,
            "statuses": sorted({it[0] for it in answers}),
            "octets": [len(it[2]) for it in answers],
            "rude": rude,
        }))


asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
