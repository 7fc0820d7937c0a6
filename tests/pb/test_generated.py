import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import xds_server.pb
from xds_server.pb import POOL, ads_pb2, base_pb2, discovery_pb2

ROOT = Path(__file__).parents[2]


def test_what_is_committed_is_what_is_generated(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    script = ROOT / "protos" / "generate.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    committed = Path(xds_server.pb.__file__).parent
    names = {path.name for path in tmp_path.glob("*.py")}
    assert names == {path.name for path in committed.glob("*.py")}
    for name in names:
        assert (tmp_path / name).read_text("utf-8") == (committed / name).read_text("utf-8"), f"make protos: {name}"


def test_names_are_envoys_own() -> None:
    service = ads_pb2.DESCRIPTOR.services_by_name["AggregatedDiscoveryService"]
    assert service is POOL.FindServiceByName("envoy.service.discovery.v3.AggregatedDiscoveryService")
    assert [method.name for method in service.methods] == ["StreamAggregatedResources", "DeltaAggregatedResources"]
    assert all(method.client_streaming and method.server_streaming for method in service.methods)
    assert POOL.FindMessageTypeByName("google.rpc.Status").fields_by_name["message"].number == 2


def test_fields_that_are_not_ours_are_skipped() -> None:
    """Envoy's own Node lists some five hundred extensions (field 9), and its requests may grow fields."""
    node = base_pb2.Node(id="gateway~a.b").SerializeToString() + b"\x4a\x04\x0a\x02ab"
    request = b"\x0a" + bytes([len(node)]) + node + b"\x12\x01t" + b"\x42\x00"
    found = discovery_pb2.DeltaDiscoveryRequest.FromString(request)
    assert (found.node.id, found.type_url) == ("gateway~a.b", "t")


def test_another_library_may_have_its_own_status() -> None:
    """googleapis-common-protos registers a `google/rpc/status.proto` of other content in the process's one default pool."""
    text = (
        "from google.protobuf import descriptor_pb2, descriptor_pool\n"
        "theirs = descriptor_pb2.FileDescriptorProto(name='google/rpc/status.proto', package='google.rpc')\n"
        "theirs.message_type.add(name='Status').field.add(name='other', number=9, type=9, label=1)\n"
        "descriptor_pool.Default().AddSerializedFile(theirs.SerializeToString())\n"
        "from xds_server.pb import discovery_pb2, status_pb2\n"
        "request = discovery_pb2.DiscoveryRequest(error_detail=status_pb2.Status(code=13, message='no'))\n"
        "assert discovery_pb2.DiscoveryRequest.FromString(request.SerializeToString()).error_detail.message == 'no'\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True, cwd=ROOT)


def test_the_package_of_the_envoy_wheel_is_not_imported() -> None:
    text = "import sys, xds_server.pb.ads_pb2; assert 'envoy' not in sys.modules"
    subprocess.run([sys.executable, "-c", text], check=True, cwd=ROOT)
    assert importlib.util.find_spec("xds_server.pb.ads_pb2") is not None
