"""Hostnames and how they cover each other. "*" stands for every host; "*.example.com" for one or more labels before it.

Source: Gateway API types `Hostname` and `PreciseHostname`; precedence as HTTPRoute.spec.hostnames tells it.
"""

ANY = "*"


def normalise(hostname: str | None) -> str:
    """A hostname as it is compared: lower case, without a final dot; "*" when there is none."""
    return (hostname or ANY).lower().rstrip(".")


def is_wildcard(pattern: str) -> bool:
    """Does the pattern stand for more than one host?"""
    return pattern.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Does every host that `host` stands for match `pattern`?"""
    if pattern in (ANY, host):
        return True
    if not pattern.startswith("*."):
        return False
    suffix = pattern[1:]
    return host.endswith(suffix) and len(host) > len(suffix)


def intersect(left: str, right: str) -> str | None:
    """The more specific of two patterns when one covers the other, else None."""
    if covers(left, right):
        return right
    if covers(right, left):
        return left
    return None


def specificity(pattern: str) -> tuple[bool, int]:
    """Greater is more specific: exact hosts before wildcards, then more characters."""
    if pattern == ANY:
        return (False, 0)
    return (not is_wildcard(pattern), len(pattern))


def ancestors(host: str) -> list[str]:
    """The wider patterns that cover `host`, most specific first, ending with "*".

    `a.b.example.com` gives `*.b.example.com`, `*.example.com`, `*.com`, `*`.
    """
    if host == ANY:
        return []
    labels = host.removeprefix("*.").split(".")
    start = 0 if is_wildcard(host) else 1
    wider = [f"*.{'.'.join(labels[i:])}" for i in range(start, len(labels))]
    return [pattern for pattern in wider if pattern != host] + [ANY]
