"""Tests of the incremental tables."""
