"""XDS09xx: policies, and whatever has conditions that no other family knows."""

from xds_server.semantics.checks.check import ERROR, LIVE, Check, Told

CHECKS = (
    Check(
        "XDS0901",
        "A policy's target is not there",
        ERROR,
        "There is no object of the name in its targetRef, or no port of the name in sectionName.",
        "Correct name or sectionName; without sectionName a policy is about all ports of a Service.",
        (Told("Policy", "Accepted", "TargetNotFound"),),
        field="spec.targetRefs",
    ),
    Check(
        "XDS0902",
        "A policy comes second",
        ERROR,
        "Another policy is about the same target. The older one counts, then the first by name; this one does nothing"
        " there.",
        "Remove one of them, or give them different targets.",
        (Told("Policy", "Accepted", "Conflicted"),),
        field="spec.targetRefs",
    ),
    Check(
        "XDS0903",
        "Nobody is trusted who could verify a backend",
        ERROR,
        "None of the authorities that the policy, or the XBackend, refers to can be used. Requests are"
        " answered with 5xx, and never sent unverified.",
        "Mend the authorities.",
        (Told("Policy", "Accepted", "NoValidCACertificate"),),
    ),
    Check(
        "XDS0904",
        "Authorities of a policy cannot be read",
        ERROR,
        "The object that is to hold them does not exist, or has no certificates in PEM under ca.crt.",
        "Give the object, with the certificates of the authorities as ca.crt.",
        (Told("Policy", "ResolvedRefs", "InvalidCACertificateRef"),),
        field="spec.validation.caCertificateRefs",
    ),
    Check(
        "XDS0905",
        "Authorities of a policy are of a kind that has none",
        ERROR,
        "Authorities are read from objects of the kinds that the message lists.",
        "Put the certificates into a ConfigMap, and refer to that.",
        (
            Told("Policy", "ResolvedRefs", "InvalidKind"),
            Told("Policy", "ResolvedRefs", "", "is not a source of authorities"),
        ),
        field="spec.validation.caCertificateRefs",
    ),
    Check(
        "XDS0906",
        "A policy asks for what there is not",
        ERROR,
        "A value of the policy, or of the XBackend, is none that the API has there. Nobody is connected to, rather than"
        " to somebody else or without what was asked for.",
        "Correct the field that the message names.",
        (Told("Policy", "Accepted", "Invalid"),),
    ),
    Check(
        "XDS0907",
        "A backend has no certificate to be shown",
        ERROR,
        "The XBackend is to be shown a client certificate, and the Secret that it refers to does not exist, holds none"
        " that can be used, or is in another namespace without a ReferenceGrant there. Nobody is connected to.",
        "Give the Secret, with tls.crt and tls.key; for one of another namespace a ReferenceGrant from kind XBackend.",
        (
            Told("Policy", "Accepted", "InvalidClientCertificateRef"),
            Told("Policy", "Accepted", "RefNotPermitted"),
        ),
        field="spec.tls.clientCertificateRef",
    ),
    Check(
        "XDS0908",
        "Envoy rejected how backends are to be verified",
        ERROR,
        "Envoy refused what the policy or the XBackend means; the message has its words. Nobody is connected to"
        " unverified.",
        "Change what Envoy's words are about. Since checks should have caught it, tell the maintainers.",
        (Told("Policy", "Accepted", "", "^Envoy rejected it"),),
        unshown=LIVE,
    ),
    Check(
        "XDS0909",
        "A collector of spans cannot be used",
        ERROR,
        "What the provider refers to does not exist, is no kind of backend, or is in another namespace without a"
        " ReferenceGrant there. Nothing is traced, and traffic goes on.",
        "Correct backendRef of the provider, or give the backend; for one of another namespace a ReferenceGrant.",
        (
            Told("Policy", "ResolvedRefs", "", r"^tracing\.provider\."),
            Told("Policy", "ResolvedRefs", "BackendNotFound"),
            Told("Policy", "ResolvedRefs", "RefNotPermitted"),
        ),
        field="spec.tracing.provider.backendRef",
    ),
    Check(
        "XDS0990",
        "A policy has a fault",
        ERROR,
        "A condition says that something is wrong, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told(),),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
