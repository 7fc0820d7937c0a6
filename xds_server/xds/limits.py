"""Every bound of a stream in one value: nothing waits for a client without one. Seconds, or counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a stream waits for its client, and how much it lets the client ask for."""

    names: int = 100_000
    """Names in one request, and names subscribed per type."""
    ack_seconds: float = 2.0
    """How long an unanswered response holds back the next of its type: a warming Envoy withholds CDS ACKs."""
    removal_seconds: float = 5.0
    """How long removals wait for the ACK of what stopped referring to the removed resource."""
    cluster_push_seconds: float = 1.0
    """How long a returning client may take to ask for clusters; while one is warming it does not ask."""
    bind_seconds: float = 5.0
    """How long until a listener that the client could not bind is sent again: the port may have become free."""
    settle_seconds: float = 2.0
    """How long resources that the client has not yet asked for keep its stream from counting as in sync."""
    drain_seconds: float = 15.0
    """How long a client whose pod ends keeps its listeners: so long it may be sent new connections, where kube-proxies
    or load balancers are slow to hear of it.
    """
    drain_again_seconds: float = 3.0
    """After which it lets go of the connections that were made since it began, or did so last."""
