"""Dialects translate: a wire's messages into commands, events and problems into the wire's messages. Nothing else."""
