"""Headers that tell how a message is framed and what becomes of its connection.

What Envoy is told to write into them goes out as it is, whatever is sent: with a `content-length` that is less than the
body, the rest of the body is the next request on a connection that all clients of a backend share.
"""

FRAMING = ("connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
"""Names in lower case. Source: RFC 9112, 6 and 11.2; RFC 9110, 7.6.1."""
