"""The read models of the console: what stands on the stream, in tables that a page can be made from."""
