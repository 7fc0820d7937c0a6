"""Secrets as proxies ask for them: certificates to show, and authorities to trust."""

from typing import NamedTuple

from xds_server.model.meta import Key


class SecretId(NamedTuple):
    """What is asked for: the certificate in a Secret, or the authorities that another object tells to trust.

    `kind` and `key` are those of that object; `part` tells several askings of one object apart, as the port of a
    Gateway does.
    """

    kind: str
    key: Key
    part: str = ""

    @classmethod
    def certificate(cls, secret: Key) -> "SecretId":
        """The certificate and key in a Secret."""
        return cls("Secret", secret)

    @property
    def field(self) -> str:
        """What of the object it is made of, as whom to blame: empty where the object makes nothing else."""
        return f"authorities {self.part}" if self.part else ""

    @property
    def is_certificate(self) -> bool:
        """A certificate, not authorities?"""
        return self.kind == "Secret"
