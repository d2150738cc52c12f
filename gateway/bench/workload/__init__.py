"""The workload: what is said, how it trickles in, and when sessions come.

    corpus ──► tokens ──► schedule ──► drive ──► clients
    turns      pieces     sessions     open or closed loop

Everything up to `drive` is data that a seed decides: the same seed gives the same texts at the same moments, whatever
the server does with them.
"""
