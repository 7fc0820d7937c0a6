"""The server's own authority: what is trusted when, and what it signs."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from xds_server.shell.pki import (
    AUTHORITY_DAYS,
    LEAF_DAYS,
    PUBLISHED,
    TURN_BEFORE,
    Authority,
    UnusableAuthorityError,
    leaf,
    new_authority,
    read,
    turned,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def trusts(bundle: bytes, certificate: bytes) -> bool:
    found = x509.load_pem_x509_certificate(certificate)
    for issuer in x509.load_pem_x509_certificates(bundle):
        if issuer.subject == found.issuer:
            found.verify_directly_issued_by(issuer)
            return True
    return False


def test_what_is_kept_is_read_again() -> None:
    authority = new_authority("xds-server", NOW)
    assert read(authority.data()) == authority
    turning = turned(authority, "xds-server", NOW, at_once=True)
    assert turning.successor is not None
    assert read(turning.data()) == turning


@pytest.mark.parametrize("spoilt", ["missing", "text", "other key"])
def test_what_is_no_authority_is_told(spoilt: str) -> None:
    data = new_authority("xds-server", NOW).data()
    if spoilt == "missing":
        del data["tls.key"]
    elif spoilt == "text":
        data["tls.crt"] = b"text"
    else:
        data["tls.key"] = new_authority("other", NOW).data()["tls.key"]
    with pytest.raises(UnusableAuthorityError):
        read(data)


def test_a_young_authority_is_left_alone() -> None:
    authority = new_authority("xds-server", NOW)
    assert turned(authority, "xds-server", NOW + AUTHORITY_DAYS - TURN_BEFORE - MINUTE) is authority


def test_every_leaf_is_trusted_by_whoever_has_a_bundle_of_the_last_day() -> None:
    """Through a whole turnover, stepped by hours: what is shown is trusted by old and new bundles alike."""
    authority = new_authority("xds-server", NOW)
    start = NOW + AUTHORITY_DAYS - TURN_BEFORE - timedelta(hours=2)
    bundles: list[tuple[datetime, bytes]] = []
    seen: list[Authority] = []
    for hour in range(8 * 24):
        now = start + timedelta(hours=hour)
        authority = turned(authority, "xds-server", now)
        bundles.append((now, authority.bundle))
        if not seen or seen[-1] != authority:
            seen.append(authority)
        shown = leaf(authority, ["xds-server.xds-system.svc"], now)
        for told, bundle in bundles:
            if now - PUBLISHED + timedelta(hours=1) <= told <= now:
                assert trusts(bundle, shown.certificate)
        for told, bundle in bundles[-1:]:  # a leaf shown until its end is trusted by the newest bundle
            if told == now:
                assert trusts(bundle, shown.certificate)
    assert [(bool(one.successor), bool(one.previous)) for one in seen] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
    ]


def test_an_authority_is_trusted_until_its_last_leaf_has_ended() -> None:
    authority = turned(new_authority("xds-server", NOW), "xds-server", NOW, at_once=True)
    last = leaf(authority, ["a.test"], NOW + PUBLISHED - MINUTE)
    now = NOW + PUBLISHED
    while now < last.not_after:
        authority = turned(authority, "xds-server", now)
        assert trusts(authority.bundle, last.certificate)
        now += timedelta(hours=1)


def test_a_leaf_names_hosts_and_addresses_and_is_short_lived() -> None:
    found = leaf(new_authority("xds-server", NOW), ["xds-server.xds-system.svc", "10.0.0.1", "fd00::1"], NOW)
    certificate = x509.load_pem_x509_certificate(found.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["xds-server.xds-system.svc"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "fd00::1"]
    assert found.not_after == NOW + LEAF_DAYS
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_an_authority_that_ended_is_replaced_at_once() -> None:
    """Also where it was kept, unused, for years: it can sign nothing."""
    old = new_authority("xds-server", NOW)
    late = NOW + AUTHORITY_DAYS + MINUTE
    fresh = turned(old, "xds-server", late)
    assert fresh.current != old.current
    assert trusts(fresh.bundle, leaf(fresh, ["a.test"], late).certificate)
    later = NOW + timedelta(days=30)
    turning = turned(old, "xds-server", later, at_once=True)
    assert turned(turning, "xds-server", late).current == turning.successor
