// How the page cuts texts into tokens: merges in their order, ids that are counted, pauses.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

require(path.join(__dirname, "..", "..", "nsmc", "page", "tokenizer.js"));
const { Tokenizer, finished } = globalThis.nsmc;

const BYTES = Array.from({ length: 256 }, (_, byte) => byte + 1);
const [A, B, C] = ["a", "b", "c"].map((letter) => letter.charCodeAt(0) + 1);

function tokenizerOf(merges, more = {}) {
  return new Tokenizer({ normalizers: [], bytes: BYTES, merges, results: null, first: 257, ...more });
}

const encoded = (tokenizer, text, most = Infinity) => finished(tokenizer.encoding(text, most));

/** As the definition says it: the first merge that some pair has, at its leftmost place, until none is left. */
function mergedPlainly(ids, merges, results) {
  const result = [...ids];
  for (;;) {
    const rank = results.findIndex((_, each) => pairAt(result, merges, each) >= 0);
    if (rank < 0) return result;
    result.splice(pairAt(result, merges, rank), 2, results[rank]);
  }
}

function pairAt(ids, merges, rank) {
  return ids.findIndex((id, at) => id === merges[2 * rank] && ids[at + 1] === merges[2 * rank + 1]);
}

test("merges are done in their order, at the leftmost place first", () => {
  const merges = [A, A, A, B, 257, 257, 258, C, 259, 258, 257, A];
  const results = [257, 258, 259, 260, 261, 262];
  const tokenizer = tokenizerOf(merges);
  for (let word = 0; word < 3 ** 8; word++) {
    const text = Array.from({ length: 8 }, (_, at) => "abc"[Math.floor(word / 3 ** at) % 3]).join("");
    const bytes = [...text].map((letter) => letter.charCodeAt(0) + 1);
    assert.deepEqual([...encoded(tokenizer, text)], mergedPlainly(bytes, merges, results));
  }
});

test("ids of merges are counted, and two merges that make the same token have one", () => {
  const tokenizer = tokenizerOf([A, B, 257, C, B, C, A, 259]); // ab, abc, bc, abc
  assert.deepEqual([...tokenizer.results], [257, 258, 259, 258]);
  assert.deepEqual(encoded(tokenizer, "abc"), [258]);
  assert.equal(tokenizer.decode([258, 259]), "abcbc");
  const other = tokenizerOf([A, B, 70_000, C], { results: Uint32Array.of(70_000, 300) });
  assert.deepEqual(encoded(other, "abc ab"), [300, " ".charCodeAt(0) + 1, 70_000]);
});

test("a word of a megabyte pauses hundreds of times", () => {
  const tokenizer = tokenizerOf([A, A, 257, 257]);
  const generator = tokenizer.encoding("a".repeat(1_000_000), 3);
  let pauses = 0;
  let found = generator.next();
  for (; !found.done; found = generator.next()) pauses++;
  assert.ok(pauses > 200, String(pauses));
  assert.deepEqual(found.value, [258, 258, 258]);
});

test("white space at the ends goes, however much of it is within", () => {
  const tokenizer = tokenizerOf([], { normalizers: [{ type: "Strip" }] });
  const text = `\u3000a${" ".repeat(300_000)}b\u0085\n`;
  assert.equal(tokenizer.normalize(text), text.slice(1, -2));
  assert.equal(tokenizer.normalize(" ".repeat(1_000_000)), "");
  const [left, right] = [{ strip_right: false }, { strip_left: false }];
  for (const [step, expected] of [[left, "a "], [right, " a"]]) {
    assert.equal(tokenizerOf([], { normalizers: [{ type: "Strip", ...step }] }).normalize(" a "), expected);
  }
});

test("a surrogate without its other half is read as a question mark", () => {
  assert.equal(tokenizerOf([]).normalize("a\ud800b\udc00\ud83d\ude0d"), "a?b?😍");
});

test("a megabyte of marks on one letter is refused, which a browser would sort for minutes", () => {
  const tokenizer = tokenizerOf([], { normalizers: [{ type: "NFC" }] });
  const marked = (count) => "e" + "\u0301\u0323".repeat(count);
  assert.throws(() => tokenizer.normalize(marked(250_000)), /500000 marks on one letter/);
  assert.equal(tokenizer.normalize(marked(20)), marked(20).normalize("NFC"));
  assert.equal(tokenizer.normalize(`${marked(20)} `.repeat(100)).length, 100 * (marked(20).normalize("NFC").length + 1));
});
