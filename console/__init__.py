"""The web console of finance operations, over the read models of the warehouse."""
