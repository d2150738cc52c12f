"""Fronts carry: they speak HTTP and WebSocket to the outside and hand what they got to the runtime."""
