"""`xds-server run` as its users start it: a process with real Envoys, watched from outside."""
