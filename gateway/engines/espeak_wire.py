"""What is inside the orders and notes between the espeak engine and its workers, in fixed binary records."""

from __future__ import annotations

import struct

SETTINGS = struct.Struct("<?HBBHB")
"""An order begins with whether it can wait, then rate, pitch, pitch range, volume and the length of the voice's name, which follows in UTF-8; then PIECEs.
An order without a voice asks for the list of voices: notes of tab-separated lines."""
PIECE = struct.Struct("<??I")
"""One call of the library: whether it ends with a pause, whether [[ and ]] stand around phonemes in it, and the bytes of its text, which follows in UTF-8."""
WORD = struct.Struct("<Ii")
"""A note while speaking: the sample and the character at which a word begins, from the start of the segment."""
