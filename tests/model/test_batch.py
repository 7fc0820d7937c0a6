from tests.model.documents import core
from xds_server.model.batch import Batch, upsert
from xds_server.model.meta import Key
from xds_server.model.parse import parse


def test_an_entry_is_kind_key_and_object():
    value = parse(core("ConfigMap"))
    assert upsert(value) == ("ConfigMap", Key("demo", "one"), value)


def test_objects_of_a_batch():
    first, second = parse(core("ConfigMap")), parse(core("Secret"))
    batch = Batch(upserts=(upsert(first), upsert(second)), removals=(("Service", Key("demo", "gone")),))
    assert list(batch.objects) == [first, second]
