// What the page reads of files, and what it writes.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

require(path.join(__dirname, "..", "..", "nsmc", "page", "table.js"));
const { rowsOf, textColumn, textOf, tsvOf } = globalThis.nsmc;

test("each line of a text file is a review, whatever ends it", () => {
  const found = rowsOf("\ufeff최고\r\n\n별로, 정말\rㅋㅋ\n", "a.txt");
  assert.deepEqual(found, { columns: [], rows: [["최고"], ["별로, 정말"], ["ㅋㅋ"]] });
});

test("CSV may have quotes, commas and ends of lines within a field", () => {
  const { columns, rows } = rowsOf('id,review\r\n1,"a ""b"", c\nd"\r\n2,\r\n3,plain', "a.csv");
  assert.deepEqual(columns, ["id", "review"]);
  assert.deepEqual(rows, [["1", 'a "b", c\nd'], ["2", ""], ["3", "plain"]]);
});

test("a quote that does not end is text", () => {
  const { rows } = rowsOf('a,b\n1,"open\n2,"closed"\n3,5" tall', "a.csv");
  assert.deepEqual(rows.at(-1), ["3", '5" tall']);
  assert.deepEqual(rowsOf('a,b\n1,"open\n2,x', "a.csv").rows, [["1", '"open'], ["2", "x"]]);
});

test("a field of ten megabytes is read", () => {
  const long = "가 ".repeat(3_000_000);
  assert.equal(rowsOf(`id,review\n1,"${long}"\n`, "a.csv").rows[0][1], long);
  assert.equal(rowsOf(`id,review\n1,"${long}\n`, "a.csv").rows[0][1], `"${long}`);
});

test("semicolons and tabs part the fields of CSV, too, and an empty file has none", () => {
  assert.deepEqual(rowsOf('id;review\n1;"a; b, c"\n', "a.csv"), { columns: ["id", "review"], rows: [["1", "a; b, c"]] });
  assert.deepEqual(rowsOf("id\treview\n1\ta, b\n", "a.CSV").rows, [["1", "a, b"]]);
  assert.deepEqual(rowsOf("a,b\n1,\n2,x", "a.csv").rows, [["1", ""], ["2", "x"]]);
  for (const name of ["a.csv", "a.tsv", "a.txt", ""]) assert.deepEqual(rowsOf("", name), { columns: [], rows: [] });
});

test("a file is read in the encoding that it has", () => {
  const bytes = (text, encoding) => new Uint8Array(Buffer.from(text, encoding)).buffer;
  const text = "id\tdocument\n1\t최고의 영화 😍";
  assert.equal(textOf(bytes(text, "utf8")), text);
  assert.equal(textOf(bytes("\ufeff" + text, "utf16le")), text);
  assert.equal(textOf(bytes(text, "utf16le")), text); // without a mark, by its zeros
  const swapped = Buffer.from("\ufeff" + text, "utf16le").swap16();
  assert.equal(textOf(new Uint8Array(swapped).buffer), text);
  assert.equal(textOf(Uint8Array.of(0xc3, 0xd6, 0xb0, 0xed).buffer), "최고"); // cp949
  const cut = bytes("최고의 영화", "utf8").slice(0, -1);
  assert.equal(textOf(cut), "최고의 영\ufffd");
  assert.equal(textOf(new ArrayBuffer(0)), "");
  assert.equal(textOf(bytes("PK\u0003\u0004\0\0\0\0", "latin1")), null);
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
