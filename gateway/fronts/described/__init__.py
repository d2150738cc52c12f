"""The API for machines: OpenAPI of what is asked over HTTP, AsyncAPI of what is said over WebSocket.

Fields, types and ranges come from the structs that the code decodes and encodes, errors from their tree, media types from
the encoders. What is written by hand here is which path takes and gives which of them, and an example of each.
"""
