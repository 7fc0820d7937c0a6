"""Gateway API rules: what users wrote becomes routing values and conditions. Pure."""
