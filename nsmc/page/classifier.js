// A bundle from what the page carries, and its answers.
"use strict";

/** Answers which label a review has. */
class Classifier {
  /** `content` is what nsmc/conversion/html.py wrote: config, tokenizer, tensors, vectors, data. */
  constructor(content) {
    const data = bytesOf(content.data);
    const tensors = {};
    for (const tensor of content.tensors) tensors[tensor.name] = numbersOf(tensor, data);
    const { tokenizer } = content;
    const { offset, length } = tokenizer.merges;
    const merges = new Uint32Array(data.buffer, offset, length);
    this.config = content.config;
    this.labels = content.config.labels;
    this.temperature = content.config.confidence?.temperature ?? 1;
    this.tokenizer = new nsmc.Tokenizer({ ...tokenizer, merges });
    this.network = new nsmc.Network(content.config, tensors);
    this.vectors = content.vectors;
  }

  encode(text) {
    return this.tokenizer.encode(text, this.config.max_length);
  }

  /** The likeliest label, its probability, and the probabilities of all. */
  classify(text) {
    return this.answer(this.network.logits(this.encode(text)));
  }

  answer(logits) {
    const probabilities = nsmc.softmax(logits.map((logit) => logit / this.temperature));
    const number = probabilities.indexOf(Math.max(...probabilities));
    return { label: this.labels[number], number, probability: probabilities[number], probabilities };
  }

  /** How the answer forms: the words that are read, each with the answer after it. */
  read(text) {
    const ids = this.encode(text);
    const answers = this.network.trace(ids).map((logits) => this.answer(logits));
    let begin = 0;
    const words = this.tokenizer.wordEnds(ids).map((end) => {
      const word = this.tokenizer.decode(ids.slice(begin, end)).normalize("NFC").trim();
      begin = end;
      return { text: word, ...answers[end] };
    });
    return { ...answers[answers.length - 1], start: answers[0], words, tokens: ids.length };
  }

  /** What is wrong with the answers to the bundle's test vectors; "" where nothing is. */
  problem(tolerance = 1e-3) {
    for (const { text, ids, logits } of this.vectors) {
      const found = this.encode(text);
      if (found.join() !== ids.join()) return `other tokens for ${JSON.stringify(text.slice(0, 40))}`;
      const differences = this.network.logits(found).map((logit, label) => Math.abs(logit - logits[label]));
      if (!(Math.max(...differences) <= tolerance)) {
        return `another answer for ${JSON.stringify(text.slice(0, 40))}`;
      }
    }
    return "";
  }
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** A tensor's numbers as float32: of int8, each row has a scale. */
function numbersOf({ dtype, shape, offset, scale }, data) {
  const size = shape.reduce((product, length) => product * length, 1);
  if (dtype === "float32") return new Float32Array(data.buffer, offset, size);
  if (dtype === "float16") return Float32Array.from(new Uint16Array(data.buffer, offset, size), widened);
  const [codes, scales] = [new Int8Array(data.buffer, offset, size), new Float32Array(data.buffer, scale, shape[0])];
  const columns = size / shape[0];
  const numbers = new Float32Array(size);
  for (let row = 0, at = 0; row < shape[0]; row++) {
    for (let column = 0; column < columns; column++, at++) numbers[at] = codes[at] * scales[row];
  }
  return numbers;
}

/** A half of IEEE 754, given as its 16 bits. */
function widened(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

globalThis.nsmc = { ...globalThis.nsmc, Classifier };
