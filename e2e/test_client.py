"""The client of the API server, with a real one: what it refuses is told apart, credentials are renewed."""

import os
import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from xds_server.shell.kube.client import Access, KubeClient, connect, path
from xds_server.shell.kube.errors import (
    ConflictError,
    EndingError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NoAccessError,
    NotFoundError,
    UnreachableError,
)

CONFIG_MAPS = path("v1", "configmaps", "default")


@pytest.fixture
def kubeconfig() -> dict[str, Any]:
    """The one in use, to be changed by a test."""
    found = os.environ.get("KUBECONFIG")
    if not found:
        pytest.skip("KUBECONFIG is not set")
    config: dict[str, Any] = yaml.safe_load(Path(found).read_text())
    return config


def config_map() -> dict[str, Any]:
    return {"metadata": {"name": f"client-{uuid4().hex[:8]}"}, "data": {"a": "b"}}


async def test_answers_are_told_apart(client: KubeClient) -> None:
    value = config_map()
    name = value["metadata"]["name"]
    where = f"{CONFIG_MAPS}/{name}"
    with pytest.raises(NotFoundError, match=name):
        await client.get(where)
    await client.create(CONFIG_MAPS, value)
    try:
        with pytest.raises(ConflictError, match="already exists"):
            await client.create(CONFIG_MAPS, value)
        read = await client.get_object(where)
        await client.patch(where, {"data": {"a": "c"}})
        with pytest.raises(ConflictError, match="modified"):
            await client.replace(where, read)
        with pytest.raises(InvalidError, match="data"):
            await client.patch(where, {"data": "text"})
    finally:
        await client.delete(where)
    with pytest.raises(NotFoundError):
        await client.delete(where)


async def test_applying_tells_whose_a_field_is(client: KubeClient) -> None:
    value = {"apiVersion": "v1", "kind": "ConfigMap", **config_map()}
    where = f"{CONFIG_MAPS}/{value['metadata']['name']}"
    await client.apply(where, value, manager="one")
    try:
        other = {**value, "data": {"a": "other"}}
        with pytest.raises(ConflictError, match="one"):
            await client.apply(where, other, manager="two", force=False)
        await client.apply(where, other, manager="two")
        assert (await client.get_object(where))["data"] == {"a": "other"}
    finally:
        await client.delete(where)


async def test_a_namespace_that_goes_is_told_apart_from_missing_rights(client: KubeClient) -> None:
    name = f"client-{uuid4().hex[:8]}"
    await client.create(path("v1", "namespaces"), {"metadata": {"name": name}})
    maps, last = path("v1", "configmaps", name), path("v1", "configmaps", name, "last")
    await client.create(maps, {"metadata": {"name": "last", "finalizers": ["example.com/test"]}})
    await client.delete(path("v1", "namespaces", name=name))
    try:
        with pytest.raises(EndingError, match="being terminated"):
            await client.create(maps, config_map())
    finally:
        await client.patch(last, {"metadata": {"finalizers": []}})


async def test_a_server_that_is_not_there_is_unreachable(kubeconfig: dict[str, Any], tmp_path: Path) -> None:
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    client = await connect(Access(_written(kubeconfig, tmp_path)))
    with pytest.raises(UnreachableError, match=r"/version"):
        await client.get("/version")
    await client.close()


async def test_a_server_with_another_certificate_is_not_trusted(kubeconfig: dict[str, Any], tmp_path: Path) -> None:
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"].pop("certificate-authority", None)
        cluster["cluster"].pop("certificate-authority-data", None)
    client = await connect(Access(_written(kubeconfig, tmp_path)))
    with pytest.raises(UnreachableError, match=r"(?i)certificate"):
        await client.get("/version")
    await client.close()


async def test_what_these_credentials_may_not_do_is_forbidden(kubeconfig: dict[str, Any], tmp_path: Path) -> None:
    for user in kubeconfig["users"]:
        user["user"] = {"token": "nobody-has-this-token"}
    client = await connect(Access(_written(kubeconfig, tmp_path)))
    with pytest.raises(ForbiddenError):
        await client.get(CONFIG_MAPS)
    await client.close()


async def test_credentials_that_ran_out_are_asked_for_again(kubeconfig: dict[str, Any], tmp_path: Path) -> None:
    """An exec plugin, as clouds have it: its first token is no longer good."""
    good = next((user["user"]["token"] for user in kubeconfig["users"] if "token" in user["user"]), None)
    if good is None:
        pytest.skip("the kubeconfig has no token to hand out")
    asked = tmp_path / "asked"
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f'if [ -e "{asked}" ]; then token={good}; else token=expired; touch "{asked}"; fi\n'
        'echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\", \\"kind\\": \\"ExecCredential\\",'
        ' \\"status\\": {\\"token\\": \\"$token\\"}}"\n'
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    for user in kubeconfig["users"]:
        user["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(plugin),
                "interactiveMode": "Never",
            }
        }
    client = await connect(Access(_written(kubeconfig, tmp_path)))
    assert asked.exists()
    assert await client.get(CONFIG_MAPS)
    await client.close()


async def test_without_credentials_it_says_where_it_looked(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(NoAccessError, match=str(missing)):
        await connect(Access(missing))


async def test_a_context_that_is_not_there_is_named(kubeconfig: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="no-such-context"):
        await connect(Access(_written(kubeconfig, tmp_path), "no-such-context"))


def _written(config: dict[str, Any], folder: Path) -> Path:
    file = folder / "config"
    file.write_text(yaml.safe_dump(config))
    return file
