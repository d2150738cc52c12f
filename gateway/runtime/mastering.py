"""The last stage of a file of even loudness: all of its PCM is measured, made louder or quieter, and encoded.

How loud the whole is, is known when the whole is there. So it is gathered as PCM and read twice, in blocks, each a job for
the encoders' threads like any other download's.
"""

from __future__ import annotations

import math
from functools import partial

from gateway.audio.farm import EncodeFarm
from gateway.audio.loudness import Gain, LoudnessMeter
from gateway.audio.registry import new_encoder
from gateway.core.params import Format
from gateway.core.session import SAMPLE_BYTES
from gateway.runtime.spool import Spool, SpoolRoom

BLOCK_S = 2
"""Audio of one job: about 8 ms of MP3."""


async def master(
    pcm: Spool, format: Format, lufs: float, *, room: SpoolRoom, farm: EncodeFarm, owner: str
) -> Spool:
    """What has been gathered, mono s16le at the format's rate, as a file of this loudness: a spool to be closed, like `pcm`.

    Raises Overloaded and TextTooLong."""
    rate = format.sample_rate
    block_bytes = BLOCK_S * rate * SAMPLE_BYTES
    meter = LoudnessMeter(rate)
    async for block in pcm.blocks(block_bytes):
        await farm.run(math.inf, partial(meter.feed, block), owner)
    await farm.run(math.inf, meter.finish, owner)
    gain, encoder = Gain(rate, meter.gain_db(lufs)), new_encoder(format, whole_file=True)

    def encode(block: bytes) -> bytes:
        return encoder.encode(gain.feed(block))

    def finish() -> bytes:
        return encoder.encode(gain.finish()) + encoder.finish()

    file = room.new()
    try:
        async for block in pcm.blocks(block_bytes):
            await file.append(await farm.run(math.inf, partial(encode, block), owner))
        await file.append(await farm.run(math.inf, finish, owner))
    except BaseException:
        file.close()
        raise
    return file
