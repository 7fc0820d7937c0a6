"""What can go wrong in a conversation, named by who is at fault."""


class RemoteProtocolError(Exception):
    """The peer broke the protocol: the stream is to be closed with INVALID_ARGUMENT and this text.

    The text says what was received and what is expected, since it is all that the peer's log will show.
    """
