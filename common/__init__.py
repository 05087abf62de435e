"""Shared by every package: timestamps, decimals, errors, ciphertext."""
