"""The read models of the console: the stream's content in tables that pages query."""
