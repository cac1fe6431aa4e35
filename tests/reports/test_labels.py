"""How settings are described in words."""

from nsmc.reports.labels import FEW, label_settings


def test_a_setting_is_named_by_all_that_was_varied() -> None:
    labels, summarized = label_settings(
        [("gru", 64, "–"), ("lstm", 0.1, 2)], ["architecture", "a", "b"]
    )
    assert [label.whole for label in labels] == ["gru, a=64", "lstm, a=0.1, b=2"]
    assert labels[1].differs == "a=0.1, b=2" and not summarized


def test_of_many_columns_only_what_is_unusual_is_told() -> None:
    columns = ["corpus", "lr", *(f"k{number}" for number in range(FEW))]
    settings = [("nsmc", rate, *([0] * FEW)) for rate in (1, 2, 3)]
    settings[2] = ("mine", 3, 7, *([0] * (FEW - 1)))
    labels, summarized = label_settings(settings, columns)
    assert summarized == set(columns[2:])  # each rate is another one
    assert [label.whole for label in labels] == ["nsmc", "nsmc, lr=2", "mine, lr=3, k0=7"]
    assert labels[2] == ("mine, lr=3, k0=7", "lr=3, k0=7", "k0=7")
