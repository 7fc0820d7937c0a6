"""Tests of the protocol without I/O, and what they share: a catalog to fill and a simulated Envoy."""
