"""Incremental derived tables: rows go in, pure functions derive rows, only what a change reaches runs again."""
