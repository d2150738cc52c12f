"""Samples become wire bytes: resampling, and one encoder per context behind a small protocol."""
