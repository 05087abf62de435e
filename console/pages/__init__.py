"""The pages of the console: server-rendered HTML over `warehouse.queries`."""
