"""Everything that touches a socket, a clock, a file or a process; no rules of the API live here."""
