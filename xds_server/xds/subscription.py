"""What a client has subscribed to, of one type on one stream: the rules of both protocols.

In: the names of a request. Out: what changed, as a `Change`; which names are covered. Nothing here knows
what exists. Source: xDS protocol, "How the client specifies what resources to return". Wildcard is the name
"*", or legacy: a first request without names, which only listeners and clusters read so. Secrets have no
wildcard: they are given by name.
"""

from collections.abc import Collection
from dataclasses import dataclass

from xds_server.xds.resource import ResourceType

WILDCARD = "*"

_LEGACY = frozenset({ResourceType.CLUSTER, ResourceType.LISTENER})


@dataclass(frozen=True, slots=True)
class Change:
    """What a request changed. `asked` are owed an answer each, `dropped` are no longer covered by anything."""

    asked: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    wildcard_began: bool = False
    wildcard_ended: bool = False

    @property
    def news(self) -> tuple[str, ...]:
        """What was asked for, sorted, with "*" for all."""
        return (*([WILDCARD] if self.wildcard_began else []), *sorted(self.asked))


class Subscription:
    """Names and wildcard of one type. Both begin empty; the first request decides about the legacy wildcard."""

    def __init__(self, type_: ResourceType) -> None:
        self.names: set[str] = set()
        self.mentioned: frozenset[str] = frozenset()
        """Names of a stale request: the client wants them, and will ask for them again."""
        self.wildcard = False
        self._legacy = type_ in _LEGACY
        self._wildcards = type_ is not ResourceType.SECRET
        self._begun = False

    def covers(self, name: str) -> bool:
        """Whether the client is to be told of this name."""
        return self.wildcard or name in self.names

    def everything(self) -> Change:
        """Subscribe to all without being asked."""
        began = not self.wildcard
        self.wildcard = True
        return Change(wildcard_began=began)

    def incremental(self, subscribe: Collection[str], unsubscribe: Collection[str]) -> Change:
        """A delta request. Every subscribed name is owed an answer, though the client may have it.

        So is a name that is unsubscribed but still covered by the wildcard. A name in both lists ends
        subscribed: Envoy merges an unsubscription and a new subscription.
        """
        had_wildcard = self.wildcard
        gone = self.names.intersection(unsubscribe)
        self.names -= gone
        if WILDCARD in unsubscribe:
            self.wildcard = False
        if not self._begun and not subscribe and self._legacy:
            self.wildcard = True
        if WILDCARD in subscribe and self._wildcards:
            self.wildcard = True
        self._begun = True
        asked = frozenset(subscribe) - {WILDCARD, ""}
        self.names |= asked
        answered = gone if self.wildcard else frozenset[str]()
        return Change(
            asked=asked | answered,
            dropped=frozenset(name for name in gone if not self.covers(name)),
            wildcard_began=self.wildcard and not had_wildcard,
            wildcard_ended=had_wildcard and not self.wildcard,
        )

    def complete(self, names: Collection[str]) -> Change:
        """A state-of-the-world request, which always has all names. Only new ones are owed an answer.

        The legacy wildcard is lost for good once any name has been subscribed.
        """
        self.mentioned = frozenset()
        had_wildcard, had = self.wildcard, self.names
        self._legacy = self._legacy and not names
        self.wildcard = self._legacy or (WILDCARD in names and self._wildcards)
        self.names = set(names) - {WILDCARD, ""}
        return Change(
            asked=frozenset(self.names - had),
            dropped=frozenset(name for name in had if not self.covers(name)),
            wildcard_began=self.wildcard and not had_wildcard,
            wildcard_ended=had_wildcard and not self.wildcard,
        )

    def narrowed(self, names: Collection[str]) -> Change:
        """A stale state-of-the-world request: what it leaves out the client has dropped, though it may by now have
        asked for it again; what it adds will be asked for again.
        """
        self.mentioned = frozenset(names)
        gone = self.names - self.mentioned
        self.names -= gone
        return Change(dropped=frozenset(name for name in gone if not self.covers(name)))
