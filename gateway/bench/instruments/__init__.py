"""Instruments: how one utterance is heard, and what can be told about many.

    listeners (HTTP, WebSocket) ──► Timeline ──► Metrics ──► Latencies, intervals
                                       │ └─ playout, onset, sound: pure functions on it
                                       └─ filled while the utterance goes on, judged when it is over

Every instrument is calibrated: tests plant a delay, a stall, a loss in a server of their own and read it off.
"""
