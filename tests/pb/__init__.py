"""Tests of the generated envelope."""
