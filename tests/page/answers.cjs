// Answers texts as the page does, in Node: {page, texts} on standard input, answers on standard output.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const SCRIPTS = path.join(__dirname, "..", "..", "nsmc", "page");
for (const name of ["tokenizer.js", "network.js", "classifier.js"]) require(path.join(SCRIPTS, name));

async function main() {
  const { page, texts } = JSON.parse(fs.readFileSync(0, "utf8"));
  const html = fs.readFileSync(page, "utf8");
  const content = JSON.parse(html.match(/<script id="content" type="application\/json">([^<]*)<\/script>/)[1]);
  const classifier = await nsmc.Classifier.load(content);
  const answers = texts.map((text) => {
    const ids = classifier.encode(text);
    const trace = nsmc.finished(classifier.network.tracing(ids)).map((logits) => classifier.answer(logits).probabilities);
    return { ids, ...classifier.classify(text), trace, words: classifier.read(text).words.map(({ text }) => text) };
  });
  fs.writeFileSync(1, JSON.stringify({ problem: classifier.problem(), answers }));
}

main();
