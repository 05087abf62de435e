"""The contenders: a folder or module each, started as processes of their own."""
