"""Containers that run: our image and the compose file, under a real Docker Engine."""
