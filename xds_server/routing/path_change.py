"""How a redirect or rewrite changes a path."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathChange:
    """Either the whole path or the matched prefix is replaced; exactly one is set. A prefix has no trailing slash."""

    full: str | None = None
    prefix: str | None = None

    def __str__(self) -> str:
        return f"path {self.full}" if self.full is not None else f"matched prefix becomes {self.prefix}"

    def apply(self, path: str, matched: str) -> str:
        """The new path; `matched` is the prefix that was compared, without a trailing slash, and of the same length as
        what the path has. Slashes are not doubled where what is put in or taken out is "/".
        """
        if self.prefix is None:
            return self.full or path
        if matched == "/":
            return f"{self.prefix.rstrip('/')}{path}"
        rest = path[len(matched) :]
        return f"/{rest.lstrip('/')}" if self.prefix == "/" else f"{self.prefix}{rest}"
