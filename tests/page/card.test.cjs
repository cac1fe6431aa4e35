// The blocks of a model card.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

require(path.join(__dirname, "..", "..", "nsmc", "page", "card.js"));
const { blocksOf } = globalThis.nsmc;

test("a card's blocks are told apart, and its metadata is left out", () => {
  const card = [
    ...["---", "language: ko", "tags:", "- a", "---", "# A GRU", "", "One `line`", "and another.", "## How"],
    ...["- first", "  goes on", "- second", "", "    from nsmc import Predictor", "", "    Predictor.load()", ""],
    ...["| a | b |", "| --- | --- |", "| 1 | 2 |", "", "```python", "# no heading", "```", "The end."],
  ];
  assert.deepEqual(blocksOf(card.join("\n")), [
    { tag: "h3", text: "A GRU" },
    { tag: "p", text: "One `line` and another." },
    { tag: "h4", text: "How" },
    { tag: "ul", items: ["first goes on", "second"] },
    { tag: "pre", text: "from nsmc import Predictor\n\nPredictor.load()" },
    { tag: "table", head: ["a", "b"], rows: [["1", "2"]] },
    { tag: "pre", text: "# no heading" },
    { tag: "p", text: "The end." },
  ]);
});

test("whatever a card has in it, it ends", () => {
  for (const card of ["", "\n\n", "```", "|", "-", "- ", "#", "    ", "`", "---\n", " odd", "*"]) blocksOf(card);
  assert.deepEqual(blocksOf("| | |\n| --- | --- |\n| x | y |"), [{ tag: "table", head: [], rows: [["x", "y"]] }]);
  assert.deepEqual(blocksOf(""), []);
});
