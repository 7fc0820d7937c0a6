"""Tests of the ADS server: over real gRPC, and against real Envoys."""
