"""Planted bugs of Sarvam's conversations."""

from __future__ import annotations

from tests.mutants.planting import Planted

DIALOGUES = ("tests/dialects/sarvam/test_conversations.py",)
TRANSLATOR = ("tests/dialects/sarvam/test_conversation.py",)
HANDSHAKE = ("tests/fronts/test_sarvam_socket.py",)
SPEECH = ("tests/dialects/sarvam/test_speech.py",)
WIRE = "gateway/dialects/sarvam_ws.py"

BUGS = (
    Planted(
        "configs-out-of-order",
        "what a new config asks for is heard among what was asked for before",
        WIRE,
        "    in_order = True\n",
        "    in_order = False\n",
        DIALOGUES,
    ),
    Planted(
        "config-forgets-text",
        "text that is pending at a config waits for ever",
        "gateway/runtime/contexts.py",
        "            old.speaker.submit(EndInput())\n",
        "            pass\n",
        DIALOGUES,
    ),
    Planted(
        "header-with-audio",
        "a WAV's header comes with its first samples",
        WIRE,
        "        self._header_is_due = self._codec is Codec.WAV\n",
        "",
        DIALOGUES,
    ),
    Planted(
        "sentences-glued",
        "a message that ends a sentence runs into the next one",
        WIRE,
        "        push_boundary=PushBoundary.AFTER_TERMINATOR,\n",
        "",
        SPEECH,
    ),
    Planted(
        "text-let-go-by-a-clock",
        "text below the threshold does not wait",
        WIRE,
        "        max_delay_ms=0,\n",
        "",
        DIALOGUES,
    ),
    Planted(
        "config-fails-softly",
        "text is spoken by settings that nobody asked for, after a config that failed",
        WIRE,
        "if id == CONFIG or problem.code",
        "if problem.code",
        DIALOGUES,
    ),
    Planted(
        "key-not-echoed",
        "browsers hang up, as their subprotocol is not answered",
        WIRE,
        "        return Agreement(conversation, echoed)\n",
        "        return Agreement(conversation)\n",
        HANDSHAKE,
    ),
    Planted(
        "codes-as-words",
        "an error's code is a word, which strict clients refuse",
        WIRE,
        "ErrorData(message, status, details",
        "ErrorData(message, code, details",
        TRANSLATOR,
    ),
    Planted(
        "idle-with-text",
        "a connection whose client says nothing stays open as long as it holds text",
        "gateway/runtime/mux.py",
        "lambda: self._contexts.have_speech_to_come",
        "lambda: bool(self._contexts.open)",
        DIALOGUES,
    ),
)
