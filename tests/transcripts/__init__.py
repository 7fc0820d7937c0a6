"""Conversations between a client and the server, line by line; conversation.py says how they are read."""
