"""The numbered steps by which a database comes to what the code expects. A step that was released never changes."""
