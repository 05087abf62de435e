"""Hourstream on Kubernetes: the manifests, made from one description of a worker."""
