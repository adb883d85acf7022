from hypothesis import given
from hypothesis import strategies as st

from client.fleet.lines import LineSplitter


def split(chunks: list[bytes], max_bytes: int = 1000) -> list[str]:
    splitter = LineSplitter(max_bytes)
    return [line for chunk in chunks for line in splitter.push(chunk)] + splitter.flush()


@given(st.lists(st.binary(max_size=40)))
def test_lines_do_not_depend_on_how_the_bytes_were_cut(chunks: list[bytes]) -> None:
    assert split(chunks) == split([b"".join(chunks)])


@given(st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1)))
def test_whole_lines_come_out_as_they_went_in(lines: list[str]) -> None:
    assert split([f"{line}\n".encode() for line in lines]) == lines


@given(st.lists(st.binary(max_size=200)), st.integers(1, 50))
def test_no_line_is_longer_than_the_limit_and_its_notice(chunks: list[bytes], limit: int) -> None:
    assert all(len(line) <= limit + len(" … (99999 bytes more)") for line in split(chunks, limit))


def test_a_line_that_is_too_long_says_how_much_was_cut() -> None:
    assert split([b"ab" * 8, b"cd\nnext\n"], 10) == ["ababababab … (8 bytes more)", "next"]


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    assert split([b"0123456789\n"], 10) == ["0123456789"]


def test_an_endless_line_is_not_kept_in_memory() -> None:
    splitter = LineSplitter(100)
    for _ in range(100):
        assert splitter.push(b"x" * 10_000) == []
    assert splitter.flush() == ["x" * 100 + " … (999900 bytes more)"]


def test_empty_lines_are_lines() -> None:
    assert split([b"a\n\nb\n"]) == ["a", "", "b"]


def test_terminal_escapes_do_not_reach_the_terminal() -> None:
    assert split([b"\x1b[2Jwiped\rover\x07\n"]) == [" [2Jwiped over"]


def test_bytes_that_are_not_text_are_shown_as_such() -> None:
    assert split([b"caf\xe9\n"]) == ["caf\ufffd"]
