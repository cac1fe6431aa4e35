// A bundle from what the page carries, and its answers.
"use strict";

const SCALE = ".scale"; // behind the name of an int8 matrix: that of the scales of its rows
const LETTERS = 91;

/** Answers which label a review has. */
class Classifier {
  /** The classifier of what nsmc/conversion/page.py wrote. */
  static async load(content) {
    return new Classifier(content, await inflated(bytesOf(content.data, content.size)));
  }

  /** `data` is the buffer in which `content.arrays` have their places. */
  constructor(content, data) {
    const { arrays, config, tokenizer } = content;
    const isTensor = (name) => !name.startsWith("tokenizer.") && !name.endsWith(SCALE);
    const tensors = Object.keys(arrays).filter(isTensor).map((name) => [name, tensorOf(name, arrays, data)]);
    const of = (name) => name in arrays && numbersOf(arrays[name], data);
    this.config = config;
    this.labels = config.labels;
    this.temperature = config.confidence?.temperature ?? 1;
    this.tokenizer = new nsmc.Tokenizer({
      ...tokenizer,
      merges: of("tokenizer.merges"),
      results: of("tokenizer.results") || null,
    });
    this.network = new nsmc.Network(config, Object.fromEntries(tensors));
    this.vectors = content.vectors;
  }

  encode(text) {
    return nsmc.finished(this.tokenizer.encoding(text, this.config.max_length));
  }

  classify(text) {
    return nsmc.finished(this.classifying(text));
  }

  read(text) {
    return nsmc.finished(this.reading(text));
  }

  /** The likeliest label, its probability, and the probabilities of all; a generator, which pauses. */
  *classifying(text) {
    const ids = yield* this.tokenizer.encoding(text, this.config.max_length);
    return this.answer(this.network.logits(ids));
  }

  answer(logits) {
    const probabilities = nsmc.softmax(logits.map((logit) => logit / this.temperature));
    const number = probabilities.indexOf(Math.max(...probabilities));
    return { label: this.labels[number], number, probability: probabilities[number], probabilities };
  }

  /** How the answer forms: the words that are read, each with the answer after it; it pauses, too. */
  *reading(text) {
    const { max_length: most } = this.config;
    const all = yield* this.tokenizer.encoding(text, most + 1);
    const ids = all.slice(0, most);
    const answers = (yield* this.network.tracing(ids)).map((logits) => this.answer(logits));
    let begin = 0;
    const words = this.tokenizer.wordEnds(ids).map((end) => {
      const word = this.tokenizer.decode(ids.slice(begin, end)).normalize("NFC").trim();
      begin = end;
      return { text: word, ...answers[end] };
    });
    return { ...answers[answers.length - 1], start: answers[0], words, tokens: ids.length, isCut: all.length > most };
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

/** The `size` bytes that letters stand for: each two for 13 bits, the lowest first. */
function bytesOf(text, size) {
  const values = new Uint8Array(128);
  for (let code = 0x21, value = 0; code < 0x7f; code++) {
    if (!'"<\\'.includes(String.fromCharCode(code))) values[code] = value++;
  }
  const bytes = new Uint8Array(size); // a browser refuses a byte too many
  let bits = 0;
  let count = 0;
  for (let from = 0, at = 0; from < text.length; from += 2) {
    bits |= (values[text.charCodeAt(from)] * LETTERS + values[text.charCodeAt(from + 1)]) << count;
    for (count += 13; count >= 8; count -= 8, bits >>>= 8) bytes[at++] = bits;
  }
  return bytes;
}

/** What zlib compressed, as a buffer. */
async function inflated(bytes) {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  for (const done of [writer.write(bytes), writer.close()]) done.catch(() => {}); // who reads learns of it
  return new Response(readable).arrayBuffer();
}

/** A tensor's numbers as float32: of int8, each row has a scale. */
function tensorOf(name, arrays, data) {
  const stored = numbersOf(arrays[name], data);
  const { dtype, shape } = arrays[name];
  if (dtype === "float32") return stored;
  if (dtype === "float16") return Float32Array.from(stored, widened);
  const scales = numbersOf(arrays[name + SCALE], data);
  const numbers = new Float32Array(stored.length);
  const columns = stored.length / shape[0];
  for (let row = 0, at = 0; row < shape[0]; row++) {
    for (let column = 0; column < columns; column++, at++) numbers[at] = stored[at] * scales[row];
  }
  return numbers;
}

/** An array as it is stored: halves as their 16 bits. */
function numbersOf({ dtype, shape, offset }, data) {
  const types = { int8: Int8Array, float16: Uint16Array, float32: Float32Array, uint16: Uint16Array, uint32: Uint32Array };
  return new types[dtype](data, offset, shape.reduce((product, length) => product * length, 1));
}

/** A half of IEEE 754, given as its 16 bits. */
function widened(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

globalThis.nsmc = { ...globalThis.nsmc, Classifier, bytesOf };
