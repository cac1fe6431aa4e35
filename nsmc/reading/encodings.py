"""Tells which encoding bytes look like that are not in the one they should be in."""


def wide_encoding(content: bytes) -> str:
    """UTF-16 or UTF-32, where the content has its byte order mark, or is full of NUL bytes."""
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for offset, encoding in ((1, "utf-16le"), (0, "utf-16be")):
        high_bytes, low_bytes = content[offset::2], content[1 - offset :: 2]
        if len(high_bytes) < 4 or 2 * low_bytes.count(0) >= len(low_bytes):
            continue
        if 4 * high_bytes.count(0) > len(high_bytes):  # of ASCII characters
            return encoding
    return ""


def is_korean_cp949(content: bytes) -> bool:
    """Whether bytes that are not UTF-8 are Korean text in cp949."""
    read = content.decode("utf-8", "replace")
    wrong = read.count("\N{REPLACEMENT CHARACTER}")
    sound = sum(char > "\x7f" for char in read) - wrong
    if wrong <= sound:  # UTF-8 with some damage
        return False
    try:
        others = [char for char in content.decode("cp949") if char > "\x7f"]
    except UnicodeDecodeError:
        return False
    # What has two bytes in EUC-KR is in KS X 1001; other encodings hit upon the other syllables.
    common = [char for char in others if len(char.encode("euc_kr", "ignore")) == 2]
    return 2 * sum(map(_is_hangul, common)) > len(others)


def is_korean_utf8(content: bytes) -> bool:
    """Whether bytes are UTF-8 with Hangul, which no other encoding's Korean text is by chance."""
    if content.isascii():
        return False
    try:
        return any(map(_is_hangul, content.decode("utf-8")))
    except UnicodeDecodeError:
        return False


def _is_hangul(char: str) -> bool:
    return "가" <= char <= "힣" or "ㄱ" <= char <= "ㅣ"
