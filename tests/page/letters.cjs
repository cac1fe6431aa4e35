// The bytes of letters: [[letters, size], …] on standard input, lists of bytes on standard output.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

require(path.join(__dirname, "..", "..", "nsmc", "page", "classifier.js"));

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
fs.writeFileSync(1, JSON.stringify(cases.map(([text, size]) => [...nsmc.bytesOf(text, size)])));
