"""Markdown with fenced blocks, taken apart and put together again without losing a character.

A block's label is what follows the opening fence, e.g. `yaml given` or `yaml envoy routes/http-80`.
"""

from dataclasses import dataclass

FENCE = "```"


@dataclass(slots=True)
class Block:
    """Text between fences, with the newline that ends it; prose has no label."""

    label: str
    text: str

    @property
    def words(self) -> list[str]:
        """The label without its language."""
        return self.label.split()[1:]

    def __str__(self) -> str:
        return f"{FENCE}{self.label}\n{self.text}{FENCE}\n" if self.label else self.text


def parse(text: str) -> list[Block]:
    """Prose and fenced blocks in turn; "".join of them is the text again."""
    blocks: list[Block] = []
    lines: list[str] = []
    label = ""
    for line in text.splitlines(keepends=True):
        if not line.startswith(FENCE):
            lines.append(line)
            continue
        if label or lines:
            blocks.append(Block(label, "".join(lines)))
        if not label and not line[len(FENCE) :].strip():
            raise ValueError("a fence without a label opens a block")
        label = "" if label else line[len(FENCE) :].strip()
        lines = []
    if label:
        raise ValueError(f"block {label!r} is not closed")
    return [*blocks, Block("", "".join(lines))] if lines else blocks


def emit(blocks: list[Block]) -> str:
    """The text again."""
    return "".join(str(block) for block in blocks)
