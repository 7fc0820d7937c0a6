import pytest

from xds_server.model.rules import syntax


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (syntax.name, ["a", "Any Thing", "x" * 253], ["", "x" * 254]),
        (
            syntax.subdomain,
            ["a", "a-b.c", "0", "x" * 253],
            ["", "A", "a_b", "-a", "a-", ".a", "a..b", "a\n", "x" * 254],
        ),
        (syntax.label, ["a", "a-0", "x" * 63], ["", "a.b", "A", "-", "x" * 64]),
        (
            syntax.hostname,
            ["a", "*.a", "*.a.b", "a.b"],
            ["", "*", "*a", "a.*", "*.*.a", "a:80", "http://a", "A.b", "a."],
        ),
        (syntax.precise_hostname, ["a.b", "10.0.0.1"], ["*.a", "", "a/b"]),
        (syntax.kind, ["Service", "a", "A-1"], ["", "1a", "-", "A_b", "x" * 64]),
        (syntax.group, ["", "a.b"], ["*", "A", "a_b"]),
        (syntax.protocol, ["HTTP", "later", "example.com/mine"], ["", "a/", "/a", "a b", "Example.com/x"]),
        (syntax.domain_path, ["a.b/c", "a/b/c-_.~%"], ["", "a", "a/", "A/b", "/b", "a/b c"]),
        (syntax.header_name, ["X-A", "x_a", "!#$%&'*+-.^_`|~0"], ["", "a b", "a:", "magic/", "é", "x" * 257]),
        (syntax.label_value, ["a", "A.b_c-1"], ["", "-a", "a-", "a b", "x" * 64]),
        (syntax.qualified_key, ["a", "a.b/c_D", "x" * 63], ["", "/a", "a/", "A/b", "a/b/c", "x" * 64]),
        (
            syntax.timestamp,
            ["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.123456Z"],
            ["now", "2026-01-31T00:00:00+01:00"],
        ),
        (syntax.port, [1, 65535], [0, -1, 65536, 10**30]),
        (
            syntax.duration,
            ["0s", "10s", "1h30m", "500ms", "1h1m1s1ms", "99999h"],
            ["", "1", "1d", "1.5s", "100000s", "-1s"],
        ),
        (syntax.duration, ["1h1h1h1h"], ["1h1h1h1h1h", "1s ", "1S", "∞"]),
        (syntax.between(0, 2), [0, 2], [-1, 3]),
        (syntax.one_of(301, 302), [301, 302], [300, 0]),
        (syntax.count(2), [(), (1,), {"a": 1, "b": 2}], [(1, 2, 3)]),
        (syntax.count(2, least=1), [(1,)], [()]),
        (syntax.text(0, 3), ["", "abc"], ["abcd"]),
        (syntax.address("IPv4"), ["10.0.0.1"], ["::1", "10.0.0", "a.b", "", "10.0.0.256"]),
        (syntax.address("IPv6"), ["::1", "2001:db8::1"], ["10.0.0.1", ":::", "[::1]"]),
        (syntax.address("FQDN"), ["anything"], []),
    ],
)
def test_checks(check, good, bad):
    assert [value for value in good if check(value)] == []
    assert [value for value in bad if not check(value)] == []


@pytest.mark.parametrize(
    "value", ["/", "/a", "/a/", "/a.b/..c/.d", "/%20", "/a;b=c,d:@!$&'()*+", "/...", "/~user", "/%2e", "/x" * 100]
)
def test_good_paths(value):
    assert syntax.path(value) == ""


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("", "start with '/'"),
        ("a", "start with '/'"),
        ("*", "start with '/'"),
        ("/a//b", "'//'"),
        ("/a/./b", "'/./'"),
        ("/a/../b", "'/../'"),
        ("/a%2fb", "'%2f'"),
        ("/a%2Fb", "'%2F'"),
        ("/a#b", "'#'"),
        ("/a/..", "end with '/..'"),
        ("/a/.", "end with '/.'"),
        ("/a b", "percent-encoded"),
        ("/a?b", "percent-encoded"),
        ("/[a]", "percent-encoded"),
        ("/%zz", "percent-encoded"),
        ("/é", "percent-encoded"),
        ("/a\n", "percent-encoded"),
    ],
)
def test_bad_paths(value, complaint):
    assert complaint in syntax.path(value)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0s", 0),
        ("0ms", 0),
        ("10s", 10_000),
        ("1h30m", 5_400_000),
        ("1m500ms", 60_500),
        ("1ms1s", 1001),
        ("2s2s", 4000),
    ],
)
def test_durations_add_up(value, milliseconds):
    assert syntax.milliseconds(value) == milliseconds


def test_long_texts_are_shortened_in_complaints():
    assert len(syntax.label("X" * 63)) < 200
    assert syntax.shown("x" * 81) == '"' + "x" * 80 + '…"'


@pytest.mark.parametrize(
    ("value", "good"),
    [("a", True), ("a b\tc", True), ("", False), (" a", False), ("a ", False), ("a  b", False), ("a\n", False)],
)
def test_header_values(value, good):
    assert (syntax.header_value(value) == "") is good


def test_a_long_header_value_is_judged_at_once():
    assert syntax.header_value("a" * 4095 + "\n")


def test_each_entry_has_its_place():
    assert list(syntax.each("ips", ["10.0.0.1", "a", "::1", ""], syntax.ip)) == [
        ("ips[1]", 'must be an IP address, is "a"'),
        ("ips[3]", 'must be an IP address, is ""'),
    ]


def test_what_was_said_before_is_not_unique():
    assert list(syntax.unique("ports", [1, 2, 1, 1], ".port")) == [
        ("ports[2].port", "must be unique; 1 is used more than once"),
        ("ports[3].port", "must be unique; 1 is used more than once"),
    ]
