// For a Node without a WebSocket of its own: that of the package ws, which behaves like a browser's.
globalThis.WebSocket = require("ws");
