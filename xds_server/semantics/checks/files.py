"""XDS01xx: files and documents that cannot be read."""

from xds_server.semantics.checks.check import ERROR, Check, Said

CHECKS = (
    Check(
        "XDS0101",
        "A file cannot be read",
        ERROR,
        "The file or folder is not there, may not be read, or is larger than 64 MiB. What it said last stays in"
        " service.",
        "Correct the path, or who may read it.",
        (
            Said("^there is no such file or folder$", bare=True),
            Said("^cannot be read: ", bare=True),
            Said("^has more than .* bytes$", bare=True),
        ),
        unshown="It takes a file that cannot be read.",
    ),
    Check(
        "XDS0102",
        "A file is not UTF-8 text",
        ERROR,
        "YAML and JSON are read as UTF-8. The file has bytes that are none from the line that is told on.",
        "Save the file as UTF-8.",
        (Said("^is not UTF-8 text", bare=True),),
        unshown="It takes a file that is no text.",
    ),
    Check(
        "XDS0103",
        "A key is given twice",
        ERROR,
        "A mapping names the same key twice. Which of the two was meant nobody can tell, so the document is not read."
        " Where it is a key that objects begin with, two objects stand in one document.",
        "Remove one of the two, or write --- between two objects.",
        (Said('^key ".*" is given twice(;|$)', bare=True),),
    ),
    Check(
        "XDS0104",
        "A document is too large or too deep",
        ERROR,
        "Aliases multiply the document beyond a million values, or it nests deeper than a hundred collections.",
        "Write the document without the aliases or the nesting that make it grow.",
        (Said("^comes to more than .* values$", bare=True), Said("nested", bare=True), Said("^is nested too deeply$")),
    ),
    Check(
        "XDS0105",
        "A document is no Kubernetes object",
        ERROR,
        "The document is a text, a number or a list. Objects are mappings with apiVersion and kind.",
        "Write an object, or give a file that holds something else a name that does not end in .yaml or .json.",
        (Said("not an object with apiVersion and kind$"),),
    ),
    Check(
        "XDS0106",
        "A document names no apiVersion or no kind",
        ERROR,
        "Without both of them nobody can tell what the document is.",
        "Name both, such as apiVersion: gateway.networking.k8s.io/v1 and kind: HTTPRoute.",
        (Said("^is required$", "^(kind|apiVersion)$"),),
    ),
    Check(
        "XDS0107",
        "An apiVersion or kind is misspelt",
        ERROR,
        "The group or the kind differs by a letter or two from one of the Gateway API, so the document would be passed"
        " over as a kind of somebody else.",
        "Write the apiVersion and kind that the message names.",
        (Said("name nothing known; perhaps meant", "^apiVersion$"),),
    ),
    Check(
        "XDS0108",
        "A version is not known",
        ERROR,
        "The kind is read here, but not in this version of it.",
        "Name one of the versions that the message lists.",
        (Said("^names version ", "^apiVersion$"),),
    ),
    Check(
        "XDS0109",
        "An object is given twice",
        ERROR,
        "Kind, namespace and name are those of an object that was read before. The first one counts, by file name and"
        " line; this one does nothing.",
        "Remove or rename one of the two.",
        (Said("is given (at line|in) .* already, which is what counts$"),),
    ),
    Check(
        "XDS0110",
        "A text is not YAML",
        ERROR,
        "The text breaks the rules of YAML (or JSON) at the line and column that are told: an open bracket, a tab in"
        " the indentation, an alias without anchor.",
        "Mend the text at the line that is told, or just before it.",
        (Said(bare=True),),
    ),
)
