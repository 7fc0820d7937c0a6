"""Which function feeds which table: the architecture diagram as code. No rules of its own."""
