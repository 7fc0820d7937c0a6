"""XDS02xx: objects that the API server would refuse."""

from xds_server.semantics.checks.check import ERROR, Check, Said

CHECKS = (
    Check(
        "XDS0201",
        "A required field is missing",
        ERROR,
        "The API requires the field. The API server refuses the object, and so it is taken as absent here.",
        "Give the field.",
        (Said(r"^is required\b"), Said(r"^or \w+ is required$"), Said("^must have at least ")),
    ),
    Check(
        "XDS0202",
        "A field has a value of the wrong type",
        ERROR,
        "For example a text where a number belongs, or a mapping where a list does.",
        "Write a value of the type that the message names; numbers that are meant as text need quotes.",
        (
            Said('^must be (a|an) .*, is (a|an|the|true|empty)\\b(?!.*")'),
            Said("^must be true or false, is "),
            Said(r"^Expected |^Invalid "),
        ),
    ),
    Check(
        "XDS0203",
        "A value is not spelt as the API asks",
        ERROR,
        "Names, hostnames, paths, durations, addresses and headers have a spelling that the API fixes; some fields"
        " take a few words only.",
        "Spell the value as the message says.",
        (
            Said('^must (be|start with|begin with|end with|not contain|not end with) .*"'),
            Said("^must not be (empty|an IP address)"),
            Said("^has characters that a URI path must have percent-encoded"),
            Said("^must not (end with|use the reserved domain)"),
            Said("^is not (base64|Unicode text)$"),
        ),
    ),
    Check(
        "XDS0204",
        "A number is out of its range",
        ERROR,
        "The API allows a smaller range than the number's type does: a port is 1 to 65535, a weight 0 to 1000000.",
        "Choose a number in the range that the message names.",
        (
            Said("^must be -?[0-9]+ to -?[0-9]+, is "),
            Said("^must be one of [0-9]"),
            Said("^must be at (most|least) "),
            Said("^must be (more than )?[0-9]+s (to|and)"),
        ),
    ),
    Check(
        "XDS0205",
        "A list or text is too long",
        ERROR,
        "The API bounds how many entries a list and how many characters a text may have.",
        "Shorten it; what is too much for one route can be given by several.",
        (Said("^(has|have) .* more than [0-9]+$"),),
    ),
    Check(
        "XDS0206",
        "Fields do not go together",
        ERROR,
        "What one field says excludes another one, or asks for it: a filter's type and its settings, a listener's"
        " protocol and tls.",
        "Remove the field that does not belong, or change what excludes it.",
        (
            Said("^must not (be given|have|be None|be repeated)"),
            Said("must not be repeated$"),
            Said("^must be (Terminate|None) for protocol"),
            Said("^must give sectionName"),
            Said("^ReplacePrefixMatch needs"),
        ),
    ),
    Check(
        "XDS0207",
        "An entry is given twice",
        ERROR,
        "The entries of this list are known by a name or a combination of fields, and two of them have the same.",
        "Remove or rename one of the two.",
        (Said("^must be unique"), Said("^names the same "), Said("^has the port, protocol and hostname of")),
    ),
    Check(
        "XDS0290",
        "The API refuses the object",
        ERROR,
        "The object breaks a rule of its kind's schema. It is taken as absent here; in a cluster the API server"
        " refuses it.",
        "Change the field as the message says.",
        (Said(),),
        unshown="Everything that the schema asks today has a code of its own.",
    ),
)
