// Texts to token ids: normalization, words, bytes, merges; as docs/bundle.md says it.
"use strict";

// What Unicode calls White_Space. JavaScript's own \s and trim have U+FEFF besides, and lack U+0085.
const WHITE_SPACE = "\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

// GPT-2's pattern: contractions, letters, numbers, other signs, white space.
const WORD = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+" +
    `| ?[^${WHITE_SPACE}\\p{L}\\p{N}]+|[${WHITE_SPACE}]+(?![^${WHITE_SPACE}])|[${WHITE_SPACE}]+`,
  "gu",
);

const MOST_CACHED = 20000; // words
const LONGEST_CACHED = 64; // letters

/** A byte-level BPE tokenizer. */
class Tokenizer {
  /**
   * `normalizers` are those of tokenizer.json in order, `bytes` the id of each of the 256 bytes,
   * `merges` a flat list of ids: left, right and result of each merge, the first to do first.
   */
  constructor({ normalizers, bytes, merges }) {
    this.normalizers = normalizers;
    this.bytes = bytes;
    this.size = 1 + Math.max(...bytes, ...resultsOf(merges));
    this.merges = new Map(); // of left * size + right: [rank, result]
    this.texts = new Map(bytes.map((id, byte) => [id, Uint8Array.of(byte)])); // bytes of each token
    for (let at = 0; at < merges.length; at += 3) {
      const [left, right, result] = [merges[at], merges[at + 1], merges[at + 2]];
      const pair = left * this.size + right;
      if (!this.merges.has(pair)) this.merges.set(pair, [at / 3, result]);
      this.texts.set(result, joined([this.texts.get(left), this.texts.get(right)]));
    }
    this.cache = new Map();
  }

  /** The first `maxLength` ids of a text. */
  encode(text, maxLength) {
    const ids = [];
    for (const [word] of this.normalize(text).matchAll(WORD)) {
      for (const id of this.encodeWord(word)) {
        if (ids.length === maxLength) return ids;
        ids.push(id);
      }
    }
    return ids;
  }

  normalize(text) {
    // What UTF-8 cannot hold is read as "?": a surrogate without its other half.
    let result = text.replace(/[\ud800-\udfff]/gu, "?");
    for (const step of this.normalizers) result = normalized(result, step);
    return result;
  }

  encodeWord(word) {
    const known = this.cache.get(word);
    if (known) return known;
    const ids = this.merged(Array.from(new TextEncoder().encode(word), (byte) => this.bytes[byte]));
    if (word.length <= LONGEST_CACHED) {
      if (this.cache.size >= MOST_CACHED) this.cache.clear();
      this.cache.set(word, ids);
    }
    return ids;
  }

  /**
   * Merge pairs, those of the lowest rank first, of one rank the leftmost. A heap finds the next
   * pair, and a list of neighbours the pairs that a merge makes, so that a word of a megabyte takes
   * a second and not a day.
   */
  merged(ids) {
    const next = ids.map((_, at) => at + 1);
    const previous = ids.map((_, at) => at - 1);
    const heap = new Heap();
    const consider = (at) => {
      if (at < 0 || next[at] >= ids.length) return;
      const merge = this.merges.get(ids[at] * this.size + ids[next[at]]);
      if (merge) heap.push([merge[0], at, ids[at], ids[next[at]], merge[1]]);
    };
    for (let at = 0; at < ids.length; at++) consider(at);
    for (let found = heap.pop(); found; found = heap.pop()) {
      const [, at, left, right, result] = found;
      const behind = next[at];
      if (ids[at] !== left || behind >= ids.length || ids[behind] !== right) continue; // merged since
      ids[at] = result;
      ids[behind] = -1;
      next[at] = next[behind];
      if (next[at] < ids.length) previous[next[at]] = at;
      consider(previous[at]);
      consider(at);
    }
    return ids.filter((id) => id >= 0);
  }

  /** The text of some tokens; bytes that are no whole letter become U+FFFD. */
  decode(ids) {
    const bytes = ids.filter((id) => this.texts.has(id)).map((id) => this.texts.get(id));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(joined(bytes));
  }

  /** Where words end, as numbers of tokens: a space begins a word, but for one behind a space. */
  wordEnds(ids) {
    const isSpace = (byte) => byte === 32 || (byte >= 9 && byte <= 13 && byte !== 11 && byte !== 12);
    const ends = [];
    for (let at = 1; at < ids.length; at++) {
      const begins = isSpace(this.texts.get(ids[at])?.[0]);
      if (begins && !(this.texts.get(ids[at - 1]) ?? [0]).every(isSpace)) ends.push(at);
    }
    return ids.length ? [...ends, ids.length] : [];
  }
}

function resultsOf(merges) {
  let largest = 0;
  for (let at = 2; at < merges.length; at += 3) largest = Math.max(largest, merges[at]);
  return [largest];
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function normalized(text, step) {
  switch (step.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return text.normalize(step.type);
    case "Lowercase": // letter by letter, whatever stands around it
      return Array.from(text, (letter) => letter.toLowerCase()).join("");
    case "Strip": {
      const left = step.strip_left === false ? "" : `^[${WHITE_SPACE}]+`;
      const right = step.strip_right === false ? "" : `[${WHITE_SPACE}]+$`;
      return text.replace(new RegExp([left, right].filter(Boolean).join("|") || "(?!)", "gu"), "");
    }
    case "Replace":
      return text.split(step.pattern.String).join(step.content);
    default:
      throw new Error(`normalizer ${step.type} is not known`);
  }
}

/** Arrays in order of their first number, then of their second. */
class Heap {
  constructor() {
    this.items = [];
  }

  push(item) {
    const items = this.items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop() {
    const items = this.items;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isBefore(items[child + 1], items[child])) child++;
      if (!isBefore(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return first;
  }
}

function isBefore(first, second) {
  return first[0] !== second[0] ? first[0] < second[0] : first[1] < second[1];
}

globalThis.nsmc = { ...globalThis.nsmc, Tokenizer };
