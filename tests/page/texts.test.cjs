// What the page says.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

require(path.join(__dirname, "..", "..", "nsmc", "page", "texts.js"));
const { TEXTS, labelName } = globalThis.nsmc;

test("labels without a name in a language are shown as they are, whatever they are called", () => {
  assert.equal(labelName("ko", "positive"), "긍정");
  assert.equal(labelName("en", "positive"), "positive");
  for (const label of ["constructor", "__proto__", "toString", ""]) {
    for (const language of Object.keys(TEXTS)) assert.equal(labelName(language, label), label);
  }
});

test("both languages say the same", () => {
  assert.deepEqual(Object.keys(TEXTS.ko).sort(), Object.keys(TEXTS.en).sort());
});
