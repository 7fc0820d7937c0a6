"""A Gateway API control plane for Envoy. Importing this package has no effect."""

__version__ = "0.1.0"
