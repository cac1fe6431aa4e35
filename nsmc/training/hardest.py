"""Explains the surest wrong answers of the validation part, once a run's bundle is complete.

The run keeps them for its report; loggers get them as a picture and as a text. TensorBoard's texts
have no colours, so there words that matter are bold.
"""

from pathlib import Path

import pytorch_lightning as L

from nsmc.comparison.answers import read_answers
from nsmc.comparison.hardest import HardReview, hardest_reviews, write_hardest
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime.explanation import Word
from nsmc.runtime.explanation_text import LEVELS, level
from nsmc.runtime.predictor import Predictor
from nsmc.training.charts import log_image, log_text, pixels, takers, without_markup
from nsmc.training.hardest_figure import hardest_figure

_NAME = "val/hardest_explained"


def explain_hardest(trainer: L.Trainer, datamodule: ReviewDataModule, bundle: Path) -> None:
    """Keep and log the explanations; nothing where the run kept no answers."""
    folder = bundle.parent
    answers = read_answers(folder, "val")
    if answers is None:
        return
    corpus = datamodule.corpus
    reviews, tokenizer = corpus.splits["val"], corpus.tokenizer()
    hardest = hardest_reviews(
        Predictor.load(bundle),
        answers,
        corpus.keys["val"].ids,
        lambda row: tokenizer.decode(reviews.review(row).tolist()),
    )
    write_hardest(folder, hardest)
    if hardest and (loggers := takers(trainer)):
        image, text = pixels(hardest_figure(hardest)), as_markdown(hardest)
        for logger in loggers:
            log_image(logger, _NAME, image, trainer.global_step)
            log_text(logger, _NAME, text, trainer.global_step)


def as_markdown(reviews: list[HardReview]) -> str:
    """A list; behind a word that matters what it adds to the log-odds of the wrong answer."""
    lines = [
        "The surest wrong answers, their probability, and the reviews. The numbers are what words "
        "add to the log-odds of the answer:",
        "",
    ]
    for label, explanation in reviews:
        words = " ".join(_word(word, level(word, explanation.words)) for word in explanation.words)
        answer = f"**{explanation.probability:.4f}** {without_markup(explanation.label)}"
        unread = "" if explanation.is_whole else " …"
        lines.append(f"1. {answer}, labelled {without_markup(label)}: {words}{unread}")
    return "\n".join(lines)


def _word(word: Word, strength: int) -> str:
    text = without_markup(word.text)
    if not strength:
        return text
    return f"{f'**{text}**' if abs(strength) > LEVELS / 2 else text} ({word.weight:+.1f})"
