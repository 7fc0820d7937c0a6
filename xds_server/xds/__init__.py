"""The xDS protocol without I/O: catalog, subscriptions, delta and state-of-the-world streams, order of pushes."""
