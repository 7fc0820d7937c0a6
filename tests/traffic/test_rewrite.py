"""URLRewrite: the Host and path that backends see, on rules and on backends."""

import pytest

from tests.traffic.harness import World
from tests.traffic.test_redirect import PREFIXES

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


def route(rules: str) -> str:
    """An HTTPRoute; `rules` is a YAML list."""
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec:\n  rules:\n{rules}"


def rewrite(fields: str, match: str = "{path: {value: /}}") -> str:
    """An HTTPRoute whose only rule rewrites and goes to backend a."""
    return route(f"""
  - matches: [{match}]
    filters: [{{type: URLRewrite, urlRewrite: {{{fields}}}}}]
    backendRefs: [{{name: a, port: 8080}}]
""")


async def seen(world: World, path: str, host: str = "example.com") -> tuple[str, str]:
    """Host and path that the backend saw."""
    told = (await world.get(path, host=host)).told
    return told["host"], told["path"]


async def test_hostname(world: World) -> None:
    await world.serve(GATEWAY, rewrite("hostname: inner.example.org"))
    assert await seen(world, "/x?q=1", "example.com:1234") == ("inner.example.org", "/x?q=1")


@pytest.mark.parametrize(
    ("path", "result"),
    [("/full", "/full"), ("/full/", "/full/"), ("/", "/"), ("/a%20b", "/a%20b"), ("/a\\\\1", "/a\\1"), ("/$1", "/$1")],
)
async def test_replace_full_path(world: World, path: str, result: str) -> None:
    await world.serve(GATEWAY, rewrite(f'path: {{type: ReplaceFullPath, replaceFullPath: "{path}"}}'))
    for asked in ("/x/y", "/", "/x//y/"):
        assert await seen(world, asked) == ("example.com", result)
        assert await seen(world, f"{asked}?q=1&r=/z") == ("example.com", f"{result}?q=1&r=/z")


@pytest.mark.parametrize(("path", "prefix", "replacement", "result"), PREFIXES)
async def test_replace_prefix_match(world: World, path: str, prefix: str, replacement: str, result: str) -> None:
    modifier = f'path: {{type: ReplacePrefixMatch, replacePrefixMatch: "{replacement}"}}'
    await world.serve(GATEWAY, rewrite(modifier, f"{{path: {{value: {prefix}}}}}"))
    assert (await seen(world, path))[1] == result
    assert (await seen(world, f"{path}?q=/foo/&r"))[1] == f"{result}?q=/foo/&r"


async def test_several_matches_cannot_share_one_prefix(world: World) -> None:
    """Each match has its own prefix; ReplaceFullPath is the same for all of them."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /one}}, {path: {type: Exact, value: /two}}, {path: {type: RegularExpression, value: "/t.*"}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /new}}}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    for path in ("/one/x", "/two", "/three"):
        assert (await seen(world, path))[1] == "/new"


async def test_rewrites_go_with_header_changes(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /strip}}]
    filters:
    - type: URLRewrite
      urlRewrite: {hostname: one.example.org, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-Set, value: set}], add: [{name: X-Add, value: add}], remove: [X-Gone]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: X-Answer, value: "yes"}]}
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    answer = await world.get("/strip/three?q", headers={"x-gone": "1", "x-add": "0"})
    told = answer.told
    assert (told["host"], told["path"], answer.headers["x-answer"]) == ("one.example.org", "/three?q", "yes")
    assert (told["headers"]["X-Set"], told["headers"]["X-Add"].replace(" ", "")) == ("set", "0,add")
    assert "X-Gone" not in told["headers"]


async def test_rewrites_of_backends(world: World) -> None:
    """Each backend sees its own path and Host, also beside filters of the rule."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /prefix}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Rule, value: "1"}]}}]
    backendRefs:
    - name: a
      port: 8080
      weight: 2
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /of-a}}}]
    - name: b
      port: 8080
      filters:
      - {type: URLRewrite, urlRewrite: {hostname: b.example.org, path: {type: ReplaceFullPath, replaceFullPath: /of-b}}}
      - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Backend, value: b}]}}
    - {name: c, port: 8080}
"""),
    )
    wanted = {
        "a": ("example.com", "/of-a/x?q", None),
        "b": ("b.example.org", "/of-b?q", "b"),
        "c": ("example.com", "/prefix/x?q", None),
    }
    answers = await world.many(200, "/prefix/x?q")
    for told in (answer.told for answer in answers):
        assert (told["host"], told["path"], told["headers"].get("Backend")) == wanted[told["name"]]
        assert told["headers"]["Rule"] == "1"
    share = {name: sum(answer.told["name"] == name for answer in answers) for name in wanted}
    assert abs(share["a"] - 100) < 35
    assert abs(share["b"] - 50) < 30
