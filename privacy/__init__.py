"""Encrypts personal data before publication, decrypts it for people, and erases it: a vault of per-person keys."""
