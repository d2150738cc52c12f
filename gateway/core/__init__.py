"""The sans-I/O heart: commands and reports in, events and orders out, `now` an argument.

Nothing in here waits, reads a clock, opens a file or draws a random number; import-linter holds it to that. The one
exception is Babel's locale data, read from its package when a language is first written out (gateway.core.cleanup).
"""
