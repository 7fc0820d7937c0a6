"""What a file says, given what it said before."""

import pytest

from xds_server.model import validate
from xds_server.model.document import Fault, Object
from xds_server.model.meta import Key
from xds_server.shell import content as module
from xds_server.shell.content import Content, read_content, unreadable

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: %s}\n"
BAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n  a: 1\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  ports:\n  - port: %s\n"


def config(name, value="x"):
    return CONFIG_MAP % (name, f'"{value}"')


def read(text, before=Content(), check=validate.faults, *, quiet=False):  # noqa: B008 (an immutable value)
    return read_content(text, "f.yaml", before, check, quiet=quiet)


def names(found):
    return [key.name for _, key in found]


def values(content):
    return {key.name: found.value.data["a"] for (_, key), found in content.objects.items()}


def test_objects_with_their_lines():
    content = read("# first\n" + config("one") + "---\n\n" + config("two"))
    assert [(ident, found.line) for ident, found in content.objects.items()] == [
        (("ConfigMap", Key("default", "one")), 2),
        (("ConfigMap", Key("default", "two")), 8),
    ]
    assert content.faults == ()


def test_the_same_text_is_the_same_content():
    content = read(config("one"))
    assert read(config("one"), content) == content


def test_only_changed_documents_are_parsed(monkeypatch):
    parsed = []
    original = module.parse
    monkeypatch.setattr(module, "parse", lambda document: (parsed.append(document), original(document))[1])
    content = read("---\n".join(config(f"n{i}") for i in range(10)))
    assert len(parsed) == 10
    parsed.clear()
    changed = read("# moved\n" + "---\n".join(config(f"n{i}", "y" if i == 7 else "x") for i in range(10)), content)
    assert [document["metadata"]["name"] for document in parsed] == ["n0", "n7"]  # the comment belongs to the first
    assert (
        changed.objects["ConfigMap", Key("default", "n3")].value
        is content.objects["ConfigMap", Key("default", "n3")].value
    )
    assert changed.objects["ConfigMap", Key("default", "n3")].line == 3 * 5 + 2


def test_a_fault_has_file_and_line_of_its_field():
    content = read(config("one") + "---\n" + BAD % "two")
    [fault] = content.faults
    assert str(fault) == "f.yaml:10: ConfigMap default/two: data.a must be a string, is an integer"
    assert names(content.objects) == ["one"]


def test_faults_of_checks_have_lines_too():
    content = read("\n\n" + SERVICE % ("one", 0))
    assert [(fault.field, fault.line) for fault in content.faults] == [("spec.ports[0].port", 8)]
    assert content.objects == {}


def test_what_is_checked_is_the_callers_choice():
    content = read(SERVICE % ("one", 0), check=lambda _: ())
    assert content.faults == ()
    assert names(content.objects) == ["one"]


def test_text_that_is_no_yaml_is_one_fault_and_other_documents_go_on():
    content = read(config("one") + "---\na: [\n---\n" + config("two"))
    [fault] = content.faults
    assert (fault.file, fault.line, fault.column) == ("f.yaml", 6, 0)
    assert "flow" in fault.reason
    assert names(content.objects) == ["one", "two"]


def test_lines_inside_a_list():
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x}\n  data: {a: 1}\n"
    [fault] = read(text).faults
    assert (fault.name, fault.field, fault.line) == ("x", "data.a", 7)


def test_the_first_of_two_in_one_file_counts():
    content = read(config("one", "first") + "---\n" + config("one", "second"))
    assert values(content) == {"one": "first"}
    [fault] = content.faults
    assert (fault.name, fault.line) == ("one", 6)
    assert fault.reason == "is given at line 1 already, which is what counts"


def test_other_kinds_are_told():
    content = read("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
    assert [str(one) for one in content.ignored] == ["apps/v1 Deployment x"]
    assert (content.objects, content.faults) == ({}, ())


def test_fields_that_a_kind_does_not_have_are_remarks_with_their_lines():
    route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: x}\nspec:\n  hostname: a.b\n"
    content = read(config("one") + "---\n" + route)
    assert [str(one) for one in content.remarks] == [
        "f.yaml:10: HTTPRoute default/x: spec.hostname is not a field; perhaps meant: hostnames"
    ]
    assert (len(content.objects), content.faults) == (2, ())


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n---\n# here\n"])
def test_nothing(text):
    content = read(text)
    assert (content.objects, content.faults, content.ignored) == ({}, (), ())


# Last good


def test_a_document_that_turns_wrong_leaves_its_object():
    before = read(config("one", "old") + "---\n" + config("two"))
    after = read(BAD % "one" + "---\n" + config("two", "new"), before)
    assert values(after) == {"one": "old", "two": "new"}
    assert len(after.faults) == 1
    assert after.held == {}


def test_a_wrong_document_keeps_only_its_own_object():
    before = read(config("one") + "---\n" + config("two"))
    after = read(BAD % "one", before)
    assert names(after.objects) == ["one"]
    assert names(after.held) == ["two"]


@pytest.mark.parametrize("broken", ["a: [\n", "kind: ConfigMap\n", "metadata: {name: one}\nkind: Nothing\n", "- 1\n"])
def test_a_document_that_does_not_say_whose_it_is_keeps_all(broken):
    before = read(config("one") + "---\n" + config("two"))
    after = read(config("two", "new") + "---\n" + broken, before)
    assert values(after) == {"one": "x", "two": "new"}
    assert after.held == {}


def test_the_last_good_object_stays_over_several_wrong_versions():
    content = read(config("one", "good"))
    for wrong in (BAD % "one", "a: [\n", BAD % "one" + "\n# more\n"):
        content = read(wrong, content)
        assert values(content) == {"one": "good"}
    assert values(read(config("one", "better"), content)) == {"one": "better"}


def test_a_document_that_was_never_good_gives_nothing():
    assert read(BAD % "one").objects == {}


def test_a_file_that_cannot_be_read_keeps_all_and_is_read_again():
    before = read(config("one"))
    after = unreadable("cannot be read: Permission denied", "f.yaml", before)
    assert values(after) == {"one": "x"}
    assert after.faults == (Fault(reason="cannot be read: Permission denied", file="f.yaml"),)
    assert read(config("one"), after) == before


# Held


def test_objects_that_left_are_held_until_the_text_is_quiet():
    before = read(config("one") + "---\n" + config("two"))
    once = read(config("one"), before)
    assert (names(once.objects), names(once.held), once.waits) == (["one"], ["two"], True)
    assert read(config("one"), once) is once
    quiet = read(config("one"), once, quiet=True)
    assert (names(quiet.objects), names(quiet.held), quiet.waits) == (["one"], [], False)


def test_another_text_holds_on_however_quiet_the_one_before_was():
    before = read(config("one") + "---\n" + config("two"))
    once = read("", before)
    assert names(once.held) == ["one", "two"]
    twice = read(config("one"), once, quiet=True)
    assert (values(twice), names(twice.held)) == ({"one": "x"}, ["two"])
    assert names(read(config("one") + "---\n" + config("two"), twice).held) == []


def test_a_text_that_seems_cut_changes_all_but_its_last_chunk():
    whole = read("---\n".join(config(name, "as it was") for name in ("one", "two", "three")))
    cut = read(config("one", "new") + "---\n" + config("two", "n"), whole)
    assert values(cut) == {"one": "new", "two": "as it was"}
    assert (names(cut.held), cut.waits) == (["three"], True)
    assert values(read(config("one", "new") + "---\n" + config("two", "n"), cut, quiet=True)) == {
        "one": "new",
        "two": "n",
    }


def test_what_a_cut_text_names_last_is_not_there_yet():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: gateway\ndata: {a: x}\n"
    part = text[: text.index("way")]
    cut = read(part, read(text))
    assert (names(cut.objects), names(cut.held)) == ([], ["gateway"])
    assert names(read(part, cut, quiet=True).objects) == ["gate"]


@pytest.mark.parametrize("text", [config("one", "b") + "# the end, which is long enough to be told from any other end",
                                  config("one", "b") + "# longer than before" * 9,
                                  config("one", "b") + "# as many lines\n"])  # fmt: skip
def test_a_change_that_is_not_at_the_end_or_makes_no_less_is_done_at_once(text):
    whole = read(config("one", "before") + "# the end, which is long enough to be told from any other end")
    content = read(text, whole)
    assert (values(content), content.waits) == ({"one": "b"}, False)


def test_each_part_of_a_text_is_measured_by_the_whole_one():
    rules = "".join(f'  {name}: "1"\n' for name in "bcdefghijklm")
    text = config("one").replace("{a: ", "\n  a: ").replace("}\n", "\n") + rules
    text = text.replace("{name: one\n", "{name: one}\n")
    content = read(text)
    for end in range(0, len(text), 7):
        content = read(text[:end], content)
        [found] = (content.objects | content.held).values()
        assert len(found.value.data) == 13, end
    assert read(text, content).held == {}


def test_a_held_object_whose_document_turns_up_wrong_is_kept():
    before = read(config("one", "good"))
    assert values(read(BAD % "one", read("", before))) == {"one": "good"}


def test_a_file_that_lost_objects_and_then_cannot_be_read_keeps_them():
    once = read("", read(config("one")))
    assert names(unreadable("x", "f.yaml", once).objects) == ["one"]


def test_a_check_is_not_asked_about_what_does_not_parse():
    asked: list[Object] = []
    read(BAD % "one" + "---\n" + config("two"), check=lambda value: (asked.append(value), ())[1])
    assert [value.metadata.name for value in asked] == ["two"]
