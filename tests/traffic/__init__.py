"""Requests through a real Envoy to real backends: what users of the Gateway API experience."""
