"""`python -m services.llm`: the language model server."""

from chassis.server import run
from chassis.settings import load
from services.llm.settings import Settings
from services.llm.stage import build

if __name__ == "__main__":
    settings = load(Settings, "python -m services.llm")
    run(lambda: build(settings), settings)
