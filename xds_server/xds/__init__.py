"""The xDS protocol without I/O: catalog, subscriptions, delta and SotW streams, the order of pushes."""
