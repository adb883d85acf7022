"""What the console shows and does without a word being spoken: notices, settings, keys, looks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from tests.browser.console_page import ConsolePage, Turn
from tests.support.browser import browser_tab
from tests.support.edge import connected, scripted_edge, serving_edge
from tests.support.scripted import Script, scripted_fleet

KEY = "open-sesame-open-sesame"


@asynccontextmanager
async def console_of(script: Script | None = None, **browser: Any) -> AsyncIterator[ConsolePage]:
    """The console in front of a script, in a browser without a microphone unless `browser` says otherwise."""
    async with scripted_edge(script or Script()) as address, browser_tab(**browser) as tab:
        console = ConsolePage(tab)
        await console.open(address)
        await console.page.locator("#fleet[data-state=ready]").wait_for()
        yield console


async def test_the_empty_page_says_what_to_do_and_a_typed_message_is_answered() -> None:
    async with console_of(Script(replies=["It is noon."])) as console:
        assert "Press the button and talk" in await console.page.locator("#empty").inner_text()
        assert await console.page.locator("#composer button").is_disabled()
        await console.say("What time is it?")
        await console.replied()
        assert await console.turns() == [Turn("user", "What time is it?", ""), Turn("assistant", "It is noon.", "")]
        assert "Typed" in await console.page.locator(".turn.user .meta").inner_text()
        assert not await console.page.locator("#empty").is_visible()
        # Screen readers are told once, when all is said.
        assert await console.page.locator("#announcer").inner_text() == "voxfleet: It is noon."


async def test_escape_stops_a_reply_and_what_was_not_heard_is_struck() -> None:
    script = Script(replies=["One two three four five six seven eight nine ten eleven twelve."], ms_per_character=60)
    async with console_of(script) as console:
        await console.say("Count.")
        await console.state("Speaking")
        await console.page.locator(".turn.reply .heard", has_text="three").wait_for()
        await console.page.locator("#conversation").focus()
        await console.page.keyboard.press("Escape")
        await console.replied()
        reply = (await console.turns())[-1]
        assert reply.text.startswith("One two")
        assert "twelve" not in reply.text
        assert await console.page.locator(".turn.reply .interrupted").inner_text() == "Stopped"
        await console.state("Microphone off")
        assert await console.client("client.loudspeaker.progress.waiting") == 0


@pytest.mark.parametrize(
    ("refuse", "title"), [(True, "The microphone was refused"), (False, "No microphone was found")]
)
async def test_without_a_microphone_the_page_says_so_and_can_be_typed_to(refuse: bool, title: str) -> None:
    async with console_of(refuse_microphone=refuse) as console:
        await console.talk.click()
        notice = console.notice(title)
        await notice.wait_for()
        assert await notice.get_attribute("role") == "alert"
        assert await console.talk.get_attribute("aria-pressed") == "false"
        await console.say("Hello")
        await console.replied()
        await notice.wait_for(state="detached")


async def test_on_an_insecure_page_the_reason_is_told() -> None:
    async with (
        scripted_edge(Script()) as address,
        browser_tab(flags=["--host-resolver-rules=MAP voice.test 127.0.0.1"]) as tab,
    ):
        console = ConsolePage(tab)
        await console.open(f"voice.test:{address.rpartition(':')[2]}")
        await console.talk.click()
        await console.notice("No microphone on an insecure page").wait_for()


async def test_the_page_asks_for_a_key_and_keeps_it_for_the_tab_only() -> None:
    async with (
        scripted_fleet(Script(), auth="on", api_keys=(SecretStr(KEY),)) as settings,
        serving_edge(settings) as address,
        browser_tab() as tab,
    ):
        tab.expect("401")
        console = ConsolePage(tab)
        await console.open(address)
        dialog = console.page.get_by_role("dialog", name="This server asks for a key")
        await dialog.wait_for()
        await console.page.locator("#key").fill("not-the-key-of-this-server")
        await console.page.keyboard.press("Enter")
        await console.page.locator("#key-problem", has_text="does not know this API key").wait_for()
        await console.page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")
        # It can be put off, and is asked for again when it is needed; the message is not lost.
        tab.expect("WebSocket connection")
        await console.say("What time is it?")
        await dialog.wait_for()
        await console.page.locator("#key").fill(KEY)
        await console.page.keyboard.press("Enter")
        await console.replied()
        kept = await console.page.evaluate(
            "[Object.values(sessionStorage), Object.values(localStorage), location.href]"
        )
        assert KEY in kept[0]
        assert KEY not in json.dumps(kept[1:])


async def test_a_stage_that_is_down_is_named() -> None:
    async with scripted_fleet(Script()) as settings:
        broken = settings.model_copy(update={"llm_target": "127.0.0.1:1"})
        async with serving_edge(broken) as address, browser_tab() as tab:
            console = ConsolePage(tab)
            await console.open(address)
            notice = console.notice("The language model (llm) is down")
            await notice.wait_for()
            assert await console.page.locator("#fleet").inner_text() == "llm not ready"
            await notice.get_by_role("button", name="Dismiss").click()
            await notice.wait_for(state="detached")


async def test_a_server_that_is_full_says_so() -> None:
    async with scripted_edge(Script(), max_sessions=1) as address, browser_tab() as tab:
        tab.expect("503")
        async with connected(address, "/v1/realtime") as other:
            await other.until("session.created")
            console = ConsolePage(tab)
            await console.open(address)
            await console.say("Hello?")
            await console.notice("The server is full").wait_for()
            # What could not be said is not lost.
            await console.page.wait_for_function("() => document.getElementById('message').value === 'Hello?'")
        await console.page.locator("#composer button").click()
        await console.replied()


async def test_settings_are_told_to_the_session_at_once_and_kept() -> None:
    script = Script()
    async with console_of(script) as console:
        page = console.page
        await console.say("Hello")
        await console.replied()
        await page.locator("#tab-settings").click()
        await page.locator("#set-voice").select_option("bert")
        await page.locator("#set-language").select_option("fr")
        await page.get_by_text("Patient", exact=True).click()
        await page.locator("#set-instructions").fill("Answer like a pirate.")
        await page.locator("#set-instructions").blur()
        update = await console.until_sent("session.update", 5)
        assert update["session"] == {
            "type": "realtime",
            "instructions": "Answer like a pirate.",
            "audio": {
                "input": {
                    "transcription": {"language": "fr"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
                    "noise_reduction": None,
                },
                "output": {"voice": "bert"},
            },
        }
        await page.get_by_text("By silence", exact=True).click()
        await page.locator("#set-silence").fill("800")
        update = await console.until_sent("session.update", 7)
        detection = update["session"]["audio"]["input"]["turn_detection"]
        assert detection == {"type": "server_vad", "silence_duration_ms": 800}
        await console.say("And now?")
        await console.replied(2)
        assert script.chats[-1].instructions == "Answer like a pirate."
        assert script.voices[-1].voice == "bert"
        await page.reload()
        await page.locator("#fleet[data-state=ready]").wait_for()
        assert await page.locator("#set-voice").input_value() == "bert"
        assert await page.locator("#set-silence").input_value() == "800"


async def test_an_error_of_the_server_is_a_notice_that_can_be_dismissed() -> None:
    async with console_of() as console:
        await console.say("Hello")
        await console.replied()
        await console.client("client.send('conversation.item.delete', {item_id: '<b>none</b>'})")
        notice = console.notice("expected an item of this conversation, got '<b>none</b>'")
        await notice.wait_for()
        await notice.get_by_role("button", name="Dismiss").click()
        await notice.wait_for(state="detached")


async def test_everything_can_be_reached_by_keys() -> None:
    async with console_of(refuse_microphone=True) as console:
        page = console.page
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert await page.evaluate(outline) == "solid"
        await page.locator("#conversation").focus()
        await page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keyboard")
        await dialog.wait_for()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")
        await page.keyboard.press("s")
        assert await page.locator("#settings").is_visible()
        await page.keyboard.press("l")
        assert await page.locator("#latency").is_visible()
        await page.keyboard.press("/")
        await page.keyboard.type("a b")
        assert await page.locator("#message").input_value() == "a b"
        assert not await console.notice("refused").count()
        await page.keyboard.press("Escape")
        await page.keyboard.press(" ")
        await console.notice("The microphone was refused").wait_for()


async def test_light_and_dark_follow_the_system_until_they_are_chosen() -> None:
    async with console_of(color_scheme="dark") as console:
        theme = "document.documentElement.dataset.theme"
        assert await console.page.evaluate(theme) == "dark"
        await console.page.get_by_role("button", name="Light appearance").click()
        assert await console.page.evaluate(theme) == "light"
        await console.page.reload()
        await console.page.get_by_role("button", name="Dark appearance").wait_for()
        assert await console.page.evaluate(theme) == "light"


async def test_a_phone_has_all_of_it() -> None:
    async with console_of(viewport=(360, 640), reduced_motion=True) as console:
        page = console.page
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert not await page.locator("#panel").is_visible()
        await console.say("Hello")
        await console.replied()
        await page.locator("#open-panel").click()
        await page.locator("#tab-settings").click()
        assert await page.locator("#set-voice").is_visible()
        await page.keyboard.press("Escape")
        await page.locator("#panel").wait_for(state="hidden")
        button = await console.talk.bounding_box()
        assert button is not None
        assert button["x"] >= 0
        assert button["y"] + button["height"] <= 640
        # Nothing moves by itself for those who have asked for that.
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_the_conversation_can_be_saved_and_begun_anew() -> None:
    async with console_of(Script(replies=["It is noon."])) as console:
        await console.say("What time is it?")
        await console.replied()
        await console.page.locator("#tab-settings").click()
        async with console.page.expect_download() as saving:
            await console.page.get_by_role("button", name="JSON").click()
        path = await (await saving.value).path()
        saved = json.loads(await asyncio.to_thread(path.read_bytes))
        assert [(turn["role"], turn["text"]) for turn in saved["conversation"]] == [
            ("user", "What time is it?"),
            ("assistant", "It is noon."),
        ]
        await console.page.get_by_role("button", name="New conversation").click()
        await console.page.locator("#empty").wait_for()
        assert await console.turns() == []
