"""The Kubernetes API: the only place that speaks to it, and what is made of it."""
