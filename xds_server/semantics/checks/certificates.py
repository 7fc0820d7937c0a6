"""XDS05xx: TLS of listeners, and certificates."""

from xds_server.semantics.checks.check import ERROR, FOLLOWS, LIVE, Check, Told, told_beside


def _unusable(words: str) -> tuple[Told, ...]:
    """The signs of a certificate that cannot be used."""
    return told_beside("Listener", "ResolvedRefs", "InvalidCertificateRef", words)


CHECKS = (
    Check(
        "XDS0509",
        "A certificate turned unusable, and its last good state is served",
        ERROR,
        "The Secret was good and is not any more. Its last good certificate stays in service until this process ends.",
        "Mend the Secret before the last good certificate expires.",
        _unusable("its last good certificate stays in service"),
        field="tls.certificateRefs",
        unshown=LIVE,
    ),
    Check(
        "XDS0501",
        "A listener that ends TLS names no certificate",
        ERROR,
        "A listener of protocol HTTPS, or TLS in mode Terminate, needs a certificate. Without one it does not open.",
        "Name a Secret of type kubernetes.io/tls in tls.certificateRefs.",
        _unusable("^tls.certificateRefs: .* needs one$"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0502",
        "A certificate's Secret does not exist",
        ERROR,
        "There is no Secret of that name in that namespace (the Gateway's, unless the reference names another).",
        "Give the Secret, or correct name and namespace of the reference.",
        _unusable(r"^tls\.certificateRefs\[\d+\]: Secret \S+ does not exist"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0515",
        "A Gateway may not use authorities of another namespace",
        ERROR,
        "Objects of another namespace can be used where a ReferenceGrant in that namespace allows it. Whether it"
        " exists is not told.",
        "Have a ReferenceGrant from kind Gateway of this namespace to the object's kind made in its namespace.",
        (Told("Listener", "ResolvedRefs", "", r"caCertificateRefs\[\d+\]: .*no ReferenceGrant in"),),
    ),
    Check(
        "XDS0503",
        "A Gateway may not use a Secret of another namespace",
        ERROR,
        "Secrets of another namespace can be used where a ReferenceGrant in that namespace allows it. Whether the"
        " Secret exists is not told.",
        "Have a ReferenceGrant from kind Gateway of this namespace to kind Secret made in the namespace of the Secret.",
        (
            Told("Listener", "ResolvedRefs", "RefNotPermitted"),
            Told("Listener", "ResolvedRefs", "", "no ReferenceGrant in"),
        ),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0504",
        "A certificate is not a Secret",
        ERROR,
        "Certificates are read from Secrets of the core API alone.",
        "Refer to a Secret.",
        _unusable("is not a Secret$"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0505",
        "A certificate's Secret lacks an entry",
        ERROR,
        "A certificate is read from tls.crt and its key from tls.key, and the Secret does not have both.",
        "Give both; the type kubernetes.io/tls asks for them from the beginning.",
        _unusable(r"it has no tls\.(crt|key)"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0506",
        "A certificate or its key does not parse",
        ERROR,
        "tls.crt has to be certificates and tls.key a private key that is not encrypted, both in PEM and whole. In"
        " `data` of a Secret they are base64 of the PEM text; `stringData` takes the text itself.",
        "Put the PEM text into the Secret, once encoded.",
        _unusable("does not parse as|of which [0-9]+ can be read"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0507",
        "A certificate and its key do not belong together",
        ERROR,
        "The key is not that of the first certificate in tls.crt. Often the order of the chain is wrong: the server's"
        " own certificate comes first.",
        "Put the certificate that belongs to the key first, or the key that belongs to it beside it.",
        _unusable("does not belong to the first certificate"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0508",
        "A certificate's key is of a kind that Envoy refuses",
        ERROR,
        "Envoy takes RSA keys of 2048 bits and more, ECDSA keys on P-256, P-384 and P-521, and Ed25519 keys.",
        "Make a new key and certificate.",
        _unusable("refused by Envoy|neither RSA nor ECDSA"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0510",
        "A TLS mode is not supported",
        ERROR,
        "Terminate ends TLS here, Passthrough hands the connection on as it is. Protocol HTTPS knows Terminate alone.",
        "Set tls.mode to one of them.",
        (
            Told("Listener", "Accepted", "", r"^tls\.mode: "),
            Told("Listener", "ResolvedRefs", "", r"^tls\.mode "),
        ),
        field="tls.mode",
    ),
    Check(
        "XDS0511",
        "A Gateway's certificate for backends cannot be used",
        ERROR,
        "The Secret that tls.backend.clientCertificateRef names does not exist, may not be referred to, or holds no"
        " certificate. Backends that are spoken to over TLS are shown none.",
        "Give the Secret, of type kubernetes.io/tls, or a ReferenceGrant in its namespace.",
        (Told("Gateway", "ResolvedRefs"),),
        field="spec.tls.backend.clientCertificateRef",
    ),
    Check(
        "XDS0512",
        "Clients of a listener cannot be verified",
        ERROR,
        "Clients are to show a certificate, and none of the authorities to verify it by can be used. So the listener is"
        " not served, rather than to anybody.",
        "Mend the authorities in tls.frontend of the Gateway.",
        (Told("Listener", "Accepted", "NoValidCACertificate"),),
        unshown=FOLLOWS,
    ),
    Check(
        "XDS0514",
        "Authorities for clients are of a kind that has none",
        ERROR,
        "Authorities are read from objects of the kinds that the message lists.",
        "Put the certificates into a ConfigMap, and refer to that.",
        (
            Told("Listener", "ResolvedRefs", "InvalidCACertificateKind"),
            Told("Listener", "ResolvedRefs", "", "is not a source of authorities"),
        ),
    ),
    Check(
        "XDS0513",
        "Authorities for clients cannot be read",
        ERROR,
        "The object that is to hold them does not exist, or has no certificates in PEM under ca.crt.",
        "Give the object, with the certificates of the authorities as ca.crt.",
        (
            Told("Listener", "ResolvedRefs", "InvalidCACertificateRef"),
            Told("Listener", "ResolvedRefs", "", r"^tls\.frontend\."),
        ),
    ),
    Check(
        "XDS0516",
        "A certificate is for nobody",
        ERROR,
        "It has no common name, and no DNS name, IP address or URI. Envoy refuses it, as clients do.",
        "Issue the certificate for the listener's hostname.",
        _unusable("the certificate names nobody"),
        field="tls.certificateRefs",
    ),
    Check(
        "XDS0590",
        "A certificate cannot be used",
        ERROR,
        "A certificate that a listener refers to cannot be used, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told("Listener", "ResolvedRefs"),),
        field="tls.certificateRefs",
        unshown="Every reason that is given today has a code of its own.",
    ),
)
