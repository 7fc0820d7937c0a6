"""envoy-data-plane messages to bytes and back, fast. Knows betterproto2, not Envoy."""
