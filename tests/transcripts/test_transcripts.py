"""Every conversation of this folder is played."""

from pathlib import Path

import pytest

from tests.transcripts.conversation import Player, Transcript, transcripts

FILES = sorted(Path(__file__).parent.glob("*.md"))
ALL = [
    pytest.param(one, id=f"{path.stem}-{one.lines[0][0]}-{one.protocol}") for path in FILES for one in transcripts(path)
]


@pytest.mark.parametrize("transcript", ALL)
def test_conversation(transcript: Transcript) -> None:
    Player(transcript.protocol).play(transcript)


def test_all_files_have_conversations() -> None:
    assert all(transcripts(path) for path in FILES)
    assert len(ALL) >= 50


def test_what_the_transcript_does_not_say_is_a_failure() -> None:
    lines = ((1, "put clusters a=1"), (2, "client clusters"), (3, "server nothing"))
    with pytest.raises(AssertionError, match="line 3, `server nothing`: the server said `clusters a=1`"):
        Player("delta").play(Transcript("", "delta", lines))
    with pytest.raises(AssertionError, match="at the end the server also said"):
        Player("delta").play(Transcript("", "delta", lines[:2]))
