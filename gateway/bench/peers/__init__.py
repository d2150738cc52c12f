"""The gateway beside what one would run instead of it, in one run and heard by the same instruments.

    servers ──► ways (a server and how it is asked) ──► cells (codec, text, streams) ──► figures ──► table

`evening` is such a server, written here. Cells are measured way by way in shuffled order, so that whatever else the
machine does befalls all alike; each is a closed loop of clients.
"""
