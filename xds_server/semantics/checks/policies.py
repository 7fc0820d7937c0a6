"""XDS09xx: policies, and whatever has conditions that no other family knows."""

from xds_server.semantics.checks.check import ERROR, Check, Told

CHECKS = (
    Check(
        "XDS0990",
        "A policy has a fault",
        ERROR,
        "A condition says that something is wrong, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told(),),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
