"""`python -m services.tts`: the text-to-speech server."""

from chassis.server import run
from chassis.settings import load
from services.tts.settings import Settings
from services.tts.stage import build

if __name__ == "__main__":
    settings = load(Settings, "python -m services.tts")
    run(lambda: build(settings), settings)
