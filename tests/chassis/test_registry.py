"""Engines by name."""

import pytest

from chassis.audio import Framer
from chassis.registry import UnknownEngineError, resolve

TABLE = {"framer": "chassis.audio:Framer", "absent": "tests.no_such_module:Engine", "another": "chassis.audio:Gone"}


def test_only_the_chosen_engine_is_imported() -> None:
    assert resolve(TABLE, "framer", "VOXFLEET_X_ENGINE") is Framer


def test_an_engine_that_cannot_be_imported_says_what_is_missing() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        resolve(TABLE, "absent", "VOXFLEET_X_ENGINE")
    with pytest.raises(AttributeError, match="Gone"):
        resolve(TABLE, "another", "VOXFLEET_X_ENGINE")


def test_an_unknown_name_is_answered_with_the_variable_and_the_names_there_are() -> None:
    with pytest.raises(UnknownEngineError) as refusal:
        resolve(TABLE, "framr", "VOXFLEET_X_ENGINE")
    assert str(refusal.value) == "VOXFLEET_X_ENGINE: unknown engine 'framr'; engines: absent, another, framer"
