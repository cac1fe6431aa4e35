// A client without libraries, as docs/bundle.md describes one: it reads a bundle's files by itself, and
// computes with the page's own code. {bundle} on standard input; on standard output its ids, logits
// and probabilities for each text of test_vectors.json.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const SCRIPTS = path.join(__dirname, "..", "..", "nsmc", "page");
for (const name of ["tokenizer.js", "network.js"]) require(path.join(SCRIPTS, name));

/** The tensors of a safetensors file, as float32, with int8 codes multiplied by their rows' scales. */
function tensorsOf(file) {
  const size = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + size));
  const arrays = {};
  delete header.__metadata__;
  for (const [name, { dtype, data_offsets: [start, end] }] of Object.entries(header)) {
    const bytes = file.subarray(8 + size + start, 8 + size + end);
    const width = { F32: 4, F16: 2, I8: 1 }[dtype];
    const read = { F32: (at) => bytes.readFloatLE(at), F16: (at) => widened(bytes.readUInt16LE(at)), I8: (at) => bytes.readInt8(at) };
    arrays[name] = Float32Array.from({ length: bytes.length / width }, (_, at) => read[dtype](at * width));
  }
  for (const name of Object.keys(arrays).filter((name) => name.endsWith(".scale"))) {
    const [scales, codes] = [arrays[name], arrays[name.slice(0, -".scale".length)]];
    const columns = codes.length / scales.length;
    codes.forEach((code, at) => (codes[at] = code * scales[Math.floor(at / columns)]));
  }
  return arrays;
}

/** A half of IEEE 754, given as its 16 bits. */
function widened(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  return bits >> 15 ? -size : size;
}

/** How a vocabulary writes each byte: as itself, or the others from U+0100 on, in their order. */
function byteLetters() {
  const isItself = (byte) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isItself(byte) ? byte : others++));
}

function tokenizerOf({ normalizer, model }) {
  const stepsOf = (step) => (step?.type === "Sequence" ? step.normalizers.flatMap(stepsOf) : step ? [step] : []);
  const id = (token) => {
    if (!(token in model.vocab)) throw new Error(`no token ${token}`);
    return model.vocab[token];
  };
  const merges = model.merges.map((merge) => merge.split(" "));
  return new nsmc.Tokenizer({
    normalizers: stepsOf(normalizer),
    bytes: byteLetters().map(id),
    merges: merges.flat().map(id),
    results: merges.map(([left, right]) => id(left + right)),
  });
}

const { bundle } = JSON.parse(fs.readFileSync(0, "utf8"));
const json = (name) => JSON.parse(fs.readFileSync(path.join(bundle, name), "utf8"));
const config = json("config.json");
const tokenizer = tokenizerOf(json("tokenizer.json"));
const network = new nsmc.Network(config, tensorsOf(fs.readFileSync(path.join(bundle, "nsmc.safetensors"))));
const temperature = config.confidence?.temperature ?? 1;

const { vectors, utf16_vectors: halves } = json("test_vectors.json");
const texts = [...vectors.map(({ text }) => text), ...halves.map(({ utf16 }) => String.fromCharCode(...utf16))];
const answers = texts.map((text) => {
  const ids = nsmc.finished(tokenizer.encoding(text, config.max_length));
  const logits = network.logits(ids);
  return { ids, logits, probabilities: nsmc.softmax(logits.map((logit) => logit / temperature)) };
});
process.stdout.write(JSON.stringify(answers));
