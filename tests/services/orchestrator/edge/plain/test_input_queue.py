import pytest

from services.orchestrator.edge.plain.input_queue import (
    FRAME,
    MAX_COMMANDS,
    Command,
    InputQueue,
    TooManyCommandsError,
)


def pcm(value: int, samples: int = FRAME) -> bytes:
    return value.to_bytes(2, "little") * samples


def everything(queue: InputQueue) -> list[bytes | Command]:
    taken = []
    while (work := queue.take()) is not None:
        taken.append(work)
    return taken


def test_audio_of_any_size_comes_out_in_frames_of_20_ms() -> None:
    queue = InputQueue(100 * FRAME)
    for samples in (1, 7, 311, 1, 960):
        assert queue.write(pcm(5, samples)) == 0
    assert everything(queue) == [pcm(5)] * 4
    assert queue.waiting == 0


def test_a_frame_is_held_back_until_it_is_whole_or_a_commit_needs_it() -> None:
    queue = InputQueue(100 * FRAME)
    queue.write(pcm(1, 100))
    assert queue.take() is None
    queue.command(Command.COMMIT)
    queue.write(pcm(2))
    assert everything(queue) == [pcm(1, 100), Command.COMMIT, pcm(2)]


def test_the_oldest_audio_gives_way_and_commands_do_not() -> None:
    queue = InputQueue(3 * FRAME)
    queue.write(pcm(1))
    queue.command(Command.COMMIT)
    queue.write(pcm(2) + pcm(3))
    assert queue.write(pcm(4) + pcm(5)) == 2 * FRAME
    assert everything(queue) == [Command.COMMIT, pcm(3), pcm(4), pcm(5)]


def test_a_part_of_a_frame_too_much_costs_a_frame() -> None:
    queue = InputQueue(3 * FRAME)
    queue.write(pcm(1) + pcm(2) + pcm(3))
    assert queue.write(pcm(4, 1)) == FRAME
    assert queue.waiting == 2 * FRAME + 1


def test_a_clear_takes_what_is_behind_the_last_commit() -> None:
    queue = InputQueue(100 * FRAME)
    queue.write(pcm(1))
    queue.command(Command.COMMIT)
    queue.write(pcm(2, FRAME + 3))
    queue.command(Command.CLEAR)
    assert queue.waiting == FRAME
    queue.write(pcm(3))
    assert everything(queue) == [pcm(1), Command.COMMIT, Command.CLEAR, pcm(3)]


def test_commands_that_wait_are_bounded_and_one_too_many_changes_nothing() -> None:
    queue = InputQueue(100 * FRAME)
    for _ in range(MAX_COMMANDS):
        queue.command(Command.COMMIT)
    queue.write(pcm(1, 5))
    with pytest.raises(TooManyCommandsError):
        queue.command(Command.CLEAR)
    assert queue.waiting == 5
    assert queue.take() is Command.COMMIT
    queue.command(Command.CLEAR)
    assert queue.waiting == 0
