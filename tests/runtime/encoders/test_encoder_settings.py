"""What settings may be, and which ones an encoder needs to take its weights from another."""

from typing import Any

import pytest

from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.convolution import ConvolutionSettings
from nsmc.runtime.encoders.recurrent import RecurrentSettings
from nsmc.runtime.encoders.settings import expected, is_allowed, needed_settings, own_settings

NUMBER = own_settings(RecurrentSettings)["num_layers"]
NUMBERS = own_settings(ConvolutionSettings)["filter_widths"]


def test_an_architecture_s_own_settings_are_all_but_its_name() -> None:
    assert list(own_settings(RecurrentSettings)) == ["hidden_size", "num_layers", "bidirectional"]


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "words"),
    [
        (bool, [True, False], [0, 1, "true", None], "true or false"),
        (NUMBER, [1, 64], [0, 65, 2.0, True, "2", None, [2]], "a whole number from 1 to 64"),
        (
            NUMBERS,
            [[1], [2, 3, 64]],
            [[], [0], [65], [2, 2], [3, 2], [2.0], [True], [2, "3"], 2, "2", None],
            "a list of ascending whole numbers from 1 to 64",
        ),
    ],
)
def test_what_a_setting_may_be(
    annotation: Any, good: list[Any], bad: list[Any], words: str
) -> None:
    assert all(is_allowed(annotation, value) for value in good)
    assert not any(is_allowed(annotation, value) for value in bad)
    assert expected(annotation) == words


def test_settings_are_read_among_other_keys() -> None:
    values = {"architecture": "cnn", "filter_widths": [2, 3], "num_filters": 4, "pooling": "max"}
    assert encoder_settings(values) == ConvolutionSettings("cnn", (2, 3), 4)


def test_what_an_encoder_needs_to_start_from_another() -> None:
    both = RecurrentSettings("gru", 8, 1, True)
    assert needed_settings(both, both) == {}
    # One direction is half of both, unless a second layer reads them together.
    assert needed_settings(RecurrentSettings("gru", 8, 1, False), both) == {}
    deep = RecurrentSettings("gru", 8, 2, True)
    needed = needed_settings(RecurrentSettings("lstm", 8, 2, False), deep)
    assert needed == {"architecture": "gru", "bidirectional": True}
    cnn = ConvolutionSettings("cnn", (2, 3), 4)
    assert needed_settings(both, cnn).keys() == {"architecture", "filter_widths", "num_filters"}
