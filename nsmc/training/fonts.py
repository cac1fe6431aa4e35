"""Which characters matplotlib can draw: its own font has no Hangul, but a font of the machine may.

That is looked for only for a text with characters that matplotlib's font lacks.
"""

from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

DEFAULT = "DejaVu Sans"  # comes with matplotlib

_HANGUL = "가힣"
# Plain sans serifs of Linux, Windows and macOS, in order of preference.
_PREFERRED = (
    *("notosanscjk-regular", "notosanskr-regular", "nanumgothic", "malgun"),
    *("applesdgothicneo", "applegothic"),
)


def families(text: str) -> list[str]:
    """The font families to draw a text with; the first that has a character draws it."""
    return [font.family_name for font in _fonts(text)]


def drawable(text: str) -> str:
    """The text with a question mark for each character that no font has."""
    fonts = _fonts(text)
    return "".join(char if any(_has(font, char) for font in fonts) else "?" for char in text)


def _fonts(text: str) -> list[FT2Font]:
    hangul = None if _has(_default(), text) else _hangul()
    return [_default()] if hangul is None else [_default(), hangul]


@cache
def _default() -> FT2Font:
    properties = font_manager.FontProperties(family=DEFAULT)
    return FT2Font(font_manager.findfont(properties))


@cache
def _hangul() -> FT2Font | None:
    """A font of this machine with Hangul, which matplotlib then has, too; None without any."""
    for path in sorted(font_manager.findSystemFonts(), key=_order):
        try:
            font = FT2Font(path)
        except (OSError, RuntimeError):  # a font that cannot be read
            continue
        if _has(font, _HANGUL):
            font_manager.fontManager.addfont(path)  # matplotlib's own list may be an old one
            return font
    return None


def _order(path: str) -> tuple[int, bool, str]:
    """Preferred fonts come first; of the rest, regular ones before bold or italic ones."""
    stem = Path(path).stem.lower()
    rank = _PREFERRED.index(stem) if stem in _PREFERRED else len(_PREFERRED)
    return rank, any(word in stem for word in ("bold", "italic", "light", "thin")), stem


def _has(font: FT2Font, text: str) -> bool:
    return all(font.get_char_index(ord(char)) for char in text)
