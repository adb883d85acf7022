"""The README says the same in both languages, and everything that it links to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)]+)\)")


def prose(text: str) -> str:
    """All but the blocks of code."""
    return _FENCE.sub("", text)


def outline(text: str) -> list[str]:
    """What must be alike in every language: headings by level, tables by columns, lists, pictures, blocks of code."""
    shapes = []
    for line in _FENCE.sub("CODE", text).splitlines():
        if heading := re.match(r"#+ ", line):
            shapes.append(heading[0].strip())
        elif line.startswith("|"):
            shapes.append(f"{line.count('|') - 1} columns")
        elif line.startswith(("- ", "![")):
            shapes.append(line[0])
        elif line == "CODE":
            shapes.append(line)
    return shapes


def test_both_languages_have_the_same_outline() -> None:
    assert outline(CHINESE) == outline(ENGLISH)


def test_both_languages_have_the_same_blocks_of_code() -> None:
    assert _FENCE.findall(CHINESE) == _FENCE.findall(ENGLISH)


def test_both_languages_name_the_same_commands_and_paths() -> None:
    def names(text: str) -> list[str]:
        return sorted(re.findall(r"`([^`\n]+)`", prose(text)))

    # Settings that stand for all of their kind are followed by "…" in one language and by a word in the other.
    assert [name.rstrip("…") for name in names(CHINESE)] == [name.rstrip("…") for name in names(ENGLISH)]


def test_both_languages_link_to_the_same_pages_but_for_each_other() -> None:
    assert sorted({*_LINK.findall(CHINESE), "README.zh-CN.md"}) == sorted({*_LINK.findall(ENGLISH), "README.md"})


def test_every_link_leads_somewhere() -> None:
    targets = [target for target in _LINK.findall(ENGLISH + CHINESE) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
