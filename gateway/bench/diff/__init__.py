"""What changed between two results of one kind: `gateway bench diff OLD NEW`.

files ──► reading ──► two Runs ──► changes (a pure function) ──► text
"""
