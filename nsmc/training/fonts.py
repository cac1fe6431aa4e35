"""Which letters matplotlib can draw: its own font has no Hangul, so one of the machine's may help.

Nothing is looked for until a text has letters that matplotlib's font lacks.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

DEFAULT = "DejaVu Sans"  # comes with matplotlib

_HANGUL = "가힣"
# Plain sans serifs: of Linux, Windows and macOS. Any other font is taken after these.
_PREFERRED = (
    *("notosanscjk-regular", "notosanskr-regular", "nanumgothic", "malgun"),
    *("applesdgothicneo", "applegothic"),
)


def families(text: str) -> list[str]:
    """The font families to draw a text with; each letter is taken from the first that has it."""
    hangul = None if _has(_default(), text) else _hangul()
    return [DEFAULT] if hangul is None else [DEFAULT, hangul.family_name]


def drawable(text: str) -> str:
    """The text with a question mark for each letter that no font has."""
    fonts = [_default()]
    if not _has(fonts[0], text) and (hangul := _hangul()) is not None:
        fonts.append(hangul)
    return "".join(char if any(_has(font, char) for font in fonts) else "?" for char in text)


@cache
def _default() -> FT2Font:
    properties = font_manager.FontProperties(family=DEFAULT)
    return FT2Font(font_manager.findfont(properties))


@cache
def _hangul() -> FT2Font | None:
    """A font of this machine with Hangul, known to matplotlib from now on; None without any."""
    for path in _system_fonts():
        try:
            font = FT2Font(path)
        except (OSError, RuntimeError):  # a font that cannot be read
            continue
        if _has(font, _HANGUL):
            font_manager.fontManager.addfont(path)  # matplotlib's own list may be an old one
            return font
    return None


def _system_fonts() -> Iterator[str]:
    """Those that are preferred first; for the rest, no bold or italic before a regular."""

    def order(path: str) -> tuple[int, bool, str]:
        stem = Path(path).stem.lower()
        rank = _PREFERRED.index(stem) if stem in _PREFERRED else len(_PREFERRED)
        return rank, any(word in stem for word in ("bold", "italic", "light", "thin")), stem

    yield from sorted(font_manager.findSystemFonts(), key=order)


def _has(font: FT2Font, text: str) -> bool:
    return all(font.get_char_index(ord(char)) for char in text)
