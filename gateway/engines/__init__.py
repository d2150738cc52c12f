"""Engines perform: orders in, reports out. They know nothing of sessions, clients or codecs."""
