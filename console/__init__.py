"""The console: what finance operations look at and decide, over the read models of the warehouse."""
