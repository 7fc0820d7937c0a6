"""Which answers say that what was sent is wrong, and which are worth trying again; the texts are a real server's."""

import pytest

from xds_server.shell.kube.errors import BusyError, InvalidError, refused

DEPLOYMENT = "(shop/web; apps/v1, Kind=Deployment)"
TYPED = f"failed to create typed patch object {DEPLOYMENT}"
CONVERTED = f"failed to convert new object {DEPLOYMENT} to proper version"
UNABLE = f"{CONVERTED}: unable to convert unstructured object to apps/v1, Kind=Deployment"


@pytest.mark.parametrize(
    "message",
    [
        f"{TYPED}: .spec.replicas: expected numeric (int or float), got string",
        f"{TYPED}: .spec.replicaz: field not declared in schema",
        f"{TYPED}: .spec.paused: expected boolean, got &{{yes}}",
        f'{TYPED}: errors:\n  .spec.template.spec.containers[name="envoy"].env: duplicate entries for key [name="A"]',
        f"{UNABLE}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        f"{UNABLE}: cannot convert float64 to int32",
    ],
)
def test_an_apply_that_is_not_of_its_kind_is_invalid_though_it_is_answered_500(message: str) -> None:
    error = refused(500, "", message)
    assert type(error) is InvalidError
    assert (str(error), error.code) == (message, 500)


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (500, "", ""),
        (500, "", "etcdserver: leader changed"),
        (500, "", f"failed to create typed live object {DEPLOYMENT}: .spec.x: field not declared in schema"),
        (500, "", f"{CONVERTED}: conversion webhook for example.com/v1, Kind=Thing failed: connection refused"),
        (500, "InternalError", f"Internal error occurred: failed calling webhook: {TYPED}"),
        (503, "", f"{TYPED}: .spec.replicaz: field not declared in schema"),
        (429, "TooManyRequests", "too many requests"),
    ],
)
def test_what_says_nothing_of_the_object_is_worth_trying_again(code: int, reason: str, message: str) -> None:
    assert type(refused(code, reason, message)) is BusyError


@pytest.mark.parametrize("code", [400, 422])
def test_codes_that_say_that_it_is_wrong(code: int) -> None:
    assert type(refused(code, "Invalid", "no")) is InvalidError
