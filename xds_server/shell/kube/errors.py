"""What the API server answered when it did not do what it was asked, and when it did not answer.

The texts are the server's own, since they name object, field and reason.
"""

from collections.abc import Collection
from http import HTTPStatus


class KubeError(Exception):
    """Anything that keeps a request from being done."""


class NoAccessError(KubeError):
    """There is no usable kubeconfig, context or ServiceAccount."""


class UnreachableError(KubeError):
    """No answer: refused, reset, timed out, or a certificate that is not trusted. Worth trying again."""


class RefusedError(KubeError):
    """An answer other than success. `reason` is Status.reason, such as "AlreadyExists"; empty where none was given."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message or f"the API server answered {code}")
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        """Seconds that the server asks to wait, where it does."""


class NotFoundError(RefusedError):
    """404: no such object, or no such kind."""


class ConflictError(RefusedError):
    """409: it exists already, or it has changed since it was read, or another manager owns the field."""


class GoneError(RefusedError):
    """410: the resourceVersion, or the continue token of a list, is too old."""


class InvalidError(RefusedError):
    """400, 422, or the 500 of an apply that does not fit the kind's schema: the server will never accept this."""


class ForbiddenError(RefusedError):
    """401 or 403: these credentials may not do that."""


class EndingError(ForbiddenError):
    """403 of nobody's rights: its namespace is being deleted, and nothing new may be made in it."""


class BusyError(RefusedError):
    """429, or a 5xx that says nothing of what was sent: worth trying again."""


_BY_CODE = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.UNAUTHORIZED: ForbiddenError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: GoneError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidError,
    HTTPStatus.TOO_MANY_REQUESTS: BusyError,
}


ENDING = "NamespaceTerminating"
"""A cause among a Status's details."""
_ILL_TYPED = (
    ("failed to create typed patch object (", ""),
    ("failed to convert new object (", "unable to convert unstructured object to "),
)
"""How the answer begins to an apply whose body is not of its kind, and what is in it: a field that is not known, is
given twice or has a value of another type; a text that is no quantity or no time. The server has no code for these but
500, and no reason. A conversion that fails otherwise is a webhook's, and may succeed later.
https://github.com/kubernetes/kubernetes/issues/139253
"""


def refused(
    code: int, reason: str, message: str, *, retry_after: float | None = None, causes: Collection[str] = ()
) -> RefusedError:
    """The error that a status code stands for, or what among its causes says more."""
    if code == HTTPStatus.FORBIDDEN and ENDING in causes:
        return EndingError(code, reason, message)
    if code == HTTPStatus.INTERNAL_SERVER_ERROR and not reason and _ill_typed(message):
        return InvalidError(code, reason, message)
    kind = _BY_CODE.get(HTTPStatus(code)) if code in HTTPStatus._value2member_map_ else None
    if kind is None:
        kind = BusyError if code >= HTTPStatus.INTERNAL_SERVER_ERROR else RefusedError
    return kind(code, reason, message, retry_after=retry_after)


def _ill_typed(message: str) -> bool:
    return any(message.startswith(begin) and part in message for begin, part in _ILL_TYPED)
