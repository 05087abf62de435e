"""The mapping language: its syntax, its checks and its evaluation."""
