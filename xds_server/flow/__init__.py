"""Incremental derived tables: rows go in, pure functions derive rows, only what a change reaches runs again.

Knows neither Kubernetes nor Envoy. Read table.py, then lookup.py, then graph.py.
"""
