"""Kubernetes' API with KServe in it, over HTTP: strict, and moved by tests."""
