"""What a Gateway needs around its proxies, as values: so far its addresses and ports on this machine."""
