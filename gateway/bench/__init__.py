"""The benchmark: what the gateway gives, beside what the engine and the encoder under it could give.

It is a stranger to the server. It starts one of its own as a process, speaks the wire with it, and learns the rest from
/proc; no module in here imports what the server runs, so what is measured is what any client gets. Its yardstick
is `python -m gateway.bare`, the same engine and encoders in the same processes without a gateway round them.

    plan ──► runs ──► results ──► report
             │ │ └─ load: closed loops of streams, and a window over what they and the processes do
             │ └─── subjects: the gateway, or the bare engine, as a child process
             └───── streams: the clients of `instruments`, one per way to ask for speech

One run holds everything that is compared, and compares neighbours: a gateway's figure stands beside the bare one that was
taken seconds before. `compare` and `sessions` ask other questions with the same instruments.
"""
