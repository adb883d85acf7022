"""Files of conversations: what is read from them, and what is refused."""

from pathlib import Path

import pytest

from tests.fleet.dialogue.script import (
    Backchannel,
    Client,
    Interrupt,
    Noise,
    Reply,
    Say,
    ScriptError,
    Silence,
    load,
    parse,
)

CONVERSATIONS = Path(__file__).parent.parent / "conversations"


def script(*steps: str, before: str = 'title = "A test"') -> str:
    return f"{before}\nscript = [{', '.join(steps)}]"


def refusal(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        parse(text, "a.toml")
    return str(caught.value)


def test_a_script_is_read_in_order() -> None:
    dialogue = parse(
        script(
            '{say = "Hello there.", understood = ["hello"], voice = "am_michael", speed = 1.2}',
            "{silence_ms = 300}",
            '{backchannel = "嗯。", language = "zh", into_reply_ms = 500}',
            '{noise = "cough", ms = 200, level_dbfs = -20, into_reply_ms = 700}',
            '{interrupt = "Stop.", into_reply_ms = 900}',
            '{reply = "interrupted"}',
            '{client = "commit"}',
            '{reply = "completed", says = ["yes", "no"], language = "en"}',
        ),
        "a.toml",
    )
    kinds = [Say, Silence, Backchannel, Noise, Interrupt, Reply, Client, Reply]
    assert [type(step) for step in dialogue.script] == kinds
    assert [turn.text for turn in dialogue.turns] == ["Hello there.", "Stop."]
    assert [reply.reply for reply in dialogue.replies] == ["interrupted", "completed"]
    assert dialogue.session.update == {"type": "realtime", "audio": {"input": {}}}


def test_a_pause_is_taken_out_of_the_words() -> None:
    dialogue = parse(script('{say = "What is (600 ms) the capital (50 ms) of France?"}'), "a.toml")
    (said,) = dialogue.turns
    assert said.words == "What is the capital of France?"
    assert [(said.words[:offset], ms) for offset, ms in said.pauses] == [("What is", 600), ("What is the capital", 50)]


def test_a_session_is_configured_as_the_protocol_has_it() -> None:
    before = (
        'title = "A test"\nsession = {instructions = "Be kind.", language = "en", voice = "heart", '
        'turn_detection = {type = "server_vad", silence_duration_ms = 900}}'
    )
    dialogue = parse(script('{say = "Hello."}', before=before), "a.toml")
    listening = {
        "transcription": {"language": "en"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 900},
    }
    audio = {"input": listening, "output": {"voice": "heart"}}
    assert dialogue.session.update == {"type": "realtime", "audio": audio, "instructions": "Be kind."}


def test_turn_detection_can_be_off() -> None:
    dialogue = parse(
        script('{say = "Hello."}', before='title = "A test"\nsession = {turn_detection = "off"}'), "a.toml"
    )
    assert dialogue.session.update["audio"]["input"] == {"turn_detection": None}


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ('{say = "Hello.", understod = ["hello"]}', "step 1: understod: Extra inputs are not permitted"),
        (
            '{says = "Hello."}',
            "step 1: expected one of say, interrupt, backchannel, noise, silence_ms, client, reply; got",
        ),
        ('{say = "Hello.", silence_ms = 5}', "step 1: expected one of .*; found say and silence_ms"),
        ('"Hello."', "step 1: expected one of say, .*; got 'Hello.'"),
        ('{say = "..."}', "step 1: say: expected words to say, got '...'"),
        ('{say = "Well (600ms) yes."}', r"step 1: say: expected a pause to be written like \(600 ms\)"),
        ('{say = "Hello.", speed = 9.0}', "step 1: speed: Input should be less than or equal to 4, got 9.0"),
        ('{say = "Hello.", understood = []}', "step 1: understood: .* at least 1 item"),
        ('{say = "Hello.", amid = "pink"}', "step 1: amid and snr_db: expected both or neither"),
        (
            '{say = "Hello.", amid = "rain", snr_db = 5}',
            "step 1: amid: Input should be 'white', 'pink', .*, got 'rain'",
        ),
        ('{noise = "pink"}', "step 1: ms: Field required"),
        ('{noise = "pink", ms = "long"}', "step 1: ms: Input should be a valid integer, got 'long'"),
        ("{silence_ms = true}", "step 1: silence_ms: Input should be a valid integer, got True"),
        ('{backchannel = "Yeah."}', "step 1: into_reply_ms: Field required"),
        ('{client = "shout"}', "step 1: client: Input should be 'commit', 'respond', 'cancel' or 'clear', got 'shout'"),
        ('{reply = "done"}', "step 1: reply: Input should be 'completed' or 'interrupted', got 'done'"),
        ('{backchannel = "Yeah.", into_reply_ms = 9}', "step 1: into_reply_ms: expected a reply behind it"),
        (
            '{interrupt = "Stop.", into_reply_ms = 9}, {reply = "completed"}',
            "step 1: interrupt: expected .*interrupted",
        ),
    ],
)
def test_a_step_that_does_not_fit_is_refused_with_its_place(step: str, told: str) -> None:
    with pytest.raises(ScriptError, match=f"^a.toml: {told}"):
        parse(script(step), "a.toml")


def test_the_step_is_counted_from_the_first() -> None:
    assert refusal(script('{say = "Hello."}', '{reply = "completed", say = []}')).startswith("a.toml: step 2: ")


def test_a_file_that_is_no_toml_is_refused_with_its_line() -> None:
    assert "line 3" in refusal('title = "A test"\nscript = [\n    {say = "Hello.}\n]')


def test_a_dialogue_needs_a_title_and_steps() -> None:
    assert refusal(script('{say = "Hello."}', before="")) == "a.toml: title: Field required"
    assert refusal('title = "A test"').startswith("a.toml: script: expected a list of steps")
    assert refusal('title = "A test"\nscript = []').startswith("a.toml: script: expected a list of steps")


def test_an_unknown_setting_is_refused() -> None:
    told = refusal(script('{say = "Hello."}', before='title = "A test"\nsession = {langauge = "en"}'))
    assert told == "a.toml: session.langauge: Extra inputs are not permitted, got 'en'"


@pytest.mark.parametrize("path", sorted(CONVERSATIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_conversation_is_one(path: Path) -> None:
    assert load(path).title


def test_the_readme_shows_a_conversation_that_is_one() -> None:
    text = (CONVERSATIONS / "README.md").read_text(encoding="utf-8")
    assert len(parse(text.split("```toml")[1].split("```")[0], "README.md").script) == 9
