"""Contracts: the Avro schema of every topic, their ids, and the codec that enforces them."""
