"""Test vectors: texts with their ids and logits, in a bundle, for programs in other languages.

Such a program is checked against them; some of the texts are as hard as any.
"""

import json
from pathlib import Path
from typing import Any

from nsmc.runtime.bundle import VECTORS_FILE
from nsmc.runtime.predictor import Predictor

PROBES = (
    "정말 재미있게 봤습니다. 배우들 연기가 훌륭해요!",
    "시간이 아까운 영화였다...",
    "ㅋㅋㅋㅋㅋㅋ 이게 뭐야 ㅠㅠ",
    "  앞뒤에 빈칸이 있는 리뷰  \n",
    "줄이\n바뀌고\t탭도 있는 리뷰",
    '"따옴표"로 시작하는 리뷰',
    "<pad> 는 토큰이 아니라 글자입니다",
    "e\u0301 와 \u1100\u1161: 풀어 쓴 글자",
    "Great movie!! 10/10 😍👍🏽",
    "映画は最高でした。",
    "ﾊﾝｶｸ １２３ ⅷ ㈜ ™",
    "0",
    "!?!?!?!?",
    "가" * 200,
)


def write_vectors(folder: Path) -> None:
    """Write the vectors of the bundle in `folder`; raises what `Predictor.load` raises."""
    vectors = vectors_of(Predictor.load(folder))
    content = json.dumps({"vectors": vectors}, ensure_ascii=False, indent=1) + "\n"
    (folder / VECTORS_FILE).write_text(content, encoding="utf-8")


def vectors_of(predictor: Predictor) -> list[dict[str, Any]]:
    """Texts with their ids and logits, as plain values."""
    vectors = []
    for text, ids in zip(PROBES, predictor.encode(PROBES), strict=True):
        logits = [round(float(value), 6) for value in predictor.logits([ids])[0]]
        vectors.append({"text": text, "ids": ids, "logits": logits})
    return vectors
