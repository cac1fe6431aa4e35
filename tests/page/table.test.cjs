// What the page reads of files, and what it writes.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

require(path.join(__dirname, "..", "..", "nsmc", "page", "table.js"));
const { rowsOf, textColumn, tsvOf } = globalThis.nsmc;

test("each line of a text file is a review, whatever ends it", () => {
  const found = rowsOf("\ufeff최고\r\n\n별로, 정말\rㅋㅋ\n", "a.txt");
  assert.deepEqual(found, { columns: [], rows: [["최고"], ["별로, 정말"], ["ㅋㅋ"]] });
});

test("CSV may have quotes, commas and ends of lines within a field", () => {
  const { columns, rows } = rowsOf('id,review\r\n1,"a ""b"", c\nd"\r\n2,\r\n3,plain', "a.csv");
  assert.deepEqual(columns, ["id", "review"]);
  assert.deepEqual(rows, [["1", 'a "b", c\nd'], ["2", ""], ["3", "plain"]]);
});

test("a quote that does not end loses what follows, and ends", () => {
  assert.deepEqual(rowsOf('a,b\n1,"open', "a.csv").columns, ["a", "b"]);
});

test("TSV has a header, and a text file with a tab in its first line, too", () => {
  for (const name of ["a.tsv", "a.txt"]) {
    const { columns, rows } = rowsOf("id\tdocument\n1\t굳 \"ㅋ\n", name);
    assert.deepEqual([columns, rows], [["id", "document"], [["1", '굳 "ㅋ']]]);
  }
});

test("the reviews are in the column with a usual name, else in that of the longest texts", () => {
  assert.equal(textColumn(["id", "Review", "x"], []), 1);
  assert.equal(textColumn(["a", "b"], [["1", "long text"], ["a bit", "longer than that"]]), 1);
  assert.equal(textColumn([], []), 0);
});

test("answers are written one in each line", () => {
  assert.equal(tsvOf([["label", "text"], ["긍정", " a\t b\nc "]]), "label\ttext\n긍정\ta b c\n");
});
