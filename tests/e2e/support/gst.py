"""Plays with GStreamer's playbin, as fast as it decodes, and says what was decoded.

gst.py URL [SECOND]   with SECOND it seeks there once all tracks have begun
Prints JSON: how many pictures and how much sound, when the first and the last were, and what failed.
"""
import json
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


class Track:
    """A sink that notes the times of what comes."""

    def __init__(self):
        self.begin()
        self.sink = Gst.ElementFactory.make("fakesink")
        self.sink.set_property("sync", False)
        self.sink.set_property("signal-handoffs", True)
        self.sink.connect("handoff", self.take)

    def begin(self):
        self.count, self.times = 0, []

    def take(self, _sink, buffer, _pad):
        self.count += 1
        self.times.append(buffer.pts / Gst.SECOND)

    def said(self):
        return {"count": self.count, "first": min(self.times, default=None), "last": max(self.times, default=None)}


def main(url, second=None):
    Gst.init(None)
    player = Gst.ElementFactory.make("playbin")
    tracks = {"video": Track(), "audio": Track()}
    for kind, track in tracks.items():
        player.set_property(f"{kind}-sink", track.sink)
    player.set_property("uri", url)
    bus, error = player.get_bus(), None
    kinds = Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.ASYNC_DONE
    # What is waited for: that a pause has filled the sinks, where there is a seek to come.
    player.set_state(Gst.State.PAUSED if second else Gst.State.PLAYING)
    while True:
        message = bus.timed_pop_filtered(40 * Gst.SECOND, kinds)
        if message is None:
            error = "it does not end"
        elif message.type == Gst.MessageType.ERROR:
            error = str(message.parse_error()[0])
        elif message.type == Gst.MessageType.ASYNC_DONE:
            if second:
                for track in tracks.values():
                    track.begin()
                player.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, int(float(second) * Gst.SECOND))
                second = None
                player.set_state(Gst.State.PLAYING)
            continue
        break
    player.set_state(Gst.State.NULL)
    print(json.dumps({"error": error, **{kind: track.said() for kind, track in tracks.items()}}))


main(*sys.argv[1:])
