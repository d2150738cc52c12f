"""Voice sessions that come when they come: what a gateway does under load, and how much of it it can take.

    plan ──► schedule ──► run ──► heard ──► figures ──► results ──► report
                          │ │                              └─ load.json
                          │ └─ watch: the harness's own lateness, and who spends CPU
                          └─── jury: a process that decodes and judges, so that nothing that is timed waits for it

The harness is a stranger to the server: it speaks the wire and reads /proc. Arrivals wait for nobody, and every time
counts from the moment that the schedule meant.
"""
