"""A dialogue in JSON, held in MessagePack: what the client says is translated there, what it hears is translated back."""

from __future__ import annotations

import msgspec

from gateway.dialects.base import Frame
from gateway.dialects.native import AUDIO_HEADER, AUDIO_VERSION, AudioMessage, Subprotocol
from tests.support.server import Message


def in_msgpack(said: Frame) -> bytes:
    """What a client says in JSON. Raises msgspec's errors for what is none."""
    return msgspec.msgpack.encode(msgspec.json.decode(said))


class Retold:
    """What a server says in MessagePack, as it would have said it in JSON with audio in binary frames."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def in_json(self, heard: Frame) -> Frame:
        """One message."""
        assert isinstance(heard, bytes), "a text message"
        message = msgspec.msgpack.decode(heard, type=Message)
        match message["type"]:
            case "audio":
                audio = msgspec.convert(message, AudioMessage)
                assert isinstance(message["data"], bytes)
                header = AUDIO_HEADER.pack(
                    AUDIO_VERSION,
                    0,
                    self._numbers[audio.context],
                    audio.sequence,
                    audio.sample_start,
                    audio.sample_count,
                )
                return header + audio.data
            case "started":
                self._numbers[message["context"]] = msgspec.convert(message["number"], int)
            case "ready":
                assert message["protocol"] == Subprotocol.MSGPACK
                message["protocol"] = Subprotocol.JSON
            case _:
                pass
        return msgspec.json.encode(message).decode()
