// Texts to token ids: normalization, words, bytes, merges; as docs/bundle.md says it.
"use strict";

// What Unicode calls White_Space. JavaScript's own \s and trim have U+FEFF besides, and lack U+0085.
const WHITE_SPACE = "\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const IS_WHITE_SPACE = new RegExp(`[${WHITE_SPACE}]`, "u");

// GPT-2's pattern: contractions, letters, numbers, other signs, white space.
const WORD = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+" +
    `| ?[^${WHITE_SPACE}\\p{L}\\p{N}]+|[${WHITE_SPACE}]+(?![^${WHITE_SPACE}])|[${WHITE_SPACE}]+`,
  "gu",
);

const MOST_CACHED = 20000; // words
const LONGEST_CACHED = 64; // letters
const MOST_MARKS = 1000; // on one letter: browsers sort them in quadratic time, a megabyte in minutes
const MERGES_AT_ONCE = 4096; // then a long word pauses
const PLACES = 2 ** 31; // more than a word has bytes

/** A byte-level BPE tokenizer. */
class Tokenizer {
  /**
   * `normalizers` are those of tokenizer.json in order, `bytes` the id of each of the 256 bytes,
   * `merges` a flat list of pairs of ids, those to merge first at its head. `results` are the ids
   * they become; if null, the first becomes `first`, and each new token has the next id.
   */
  constructor({ normalizers, bytes, merges, results, first }) {
    this.normalizers = normalizers;
    this.bytes = bytes;
    this.texts = new Map(bytes.map((id, byte) => [id, Uint8Array.of(byte)])); // bytes of each token
    this.results = results ?? this.counted(merges, first);
    this.size = 1 + this.results.reduce((most, id) => Math.max(most, id), Math.max(...bytes));
    this.ranks = new Map(); // of left * size + right
    for (let rank = 0; rank < this.results.length; rank++) {
      const [left, right] = [merges[2 * rank], merges[2 * rank + 1]];
      const pair = left * this.size + right;
      if (!this.ranks.has(pair)) this.ranks.set(pair, rank);
      this.texts.set(this.results[rank], joined([this.texts.get(left), this.texts.get(right)]));
    }
    this.cache = new Map();
  }

  /** The ids of the merges' results, where each new token has the next one. */
  counted(merges, first) {
    const texts = new Map(Array.from(this.texts, ([id, [byte]]) => [id, String.fromCharCode(byte)]));
    const ids = new Map(); // by text
    return Uint32Array.from({ length: merges.length / 2 }, (_, rank) => {
      const text = texts.get(merges[2 * rank]) + texts.get(merges[2 * rank + 1]);
      if (!ids.has(text)) ids.set(text, first + ids.size);
      texts.set(ids.get(text), text);
      return ids.get(text);
    });
  }

  /** The first `maxLength` ids of a text; throws for more marks than it can sort. A generator, which pauses within long texts and words. */
  *encoding(text, maxLength) {
    const ids = [];
    const normal = this.normalize(text);
    if (normal.length > LONGEST_CACHED) yield;
    for (const [word] of normal.matchAll(WORD)) {
      for (const id of this.cache.get(word) ?? (yield* this.encodingWord(word))) {
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

  *encodingWord(word) {
    const bytes = new TextEncoder().encode(word);
    const ids = new Int32Array(bytes.length);
    for (let at = 0; at < bytes.length; at++) ids[at] = this.bytes[bytes[at]];
    const merged = yield* this.merging(ids);
    if (word.length <= LONGEST_CACHED) {
      if (this.cache.size >= MOST_CACHED) this.cache.clear();
      this.cache.set(word, merged);
    }
    return merged;
  }

  /**
   * Merge pairs, those of the lowest rank first, of one rank the leftmost. A heap finds the next
   * pair, and a list of neighbours the pairs that a merge makes, so that a word of a megabyte takes
   * a second and not a day.
   */
  *merging(ids) {
    const next = new Int32Array(ids.length);
    const previous = new Int32Array(ids.length);
    for (let at = 0; at < ids.length; at++) {
      next[at] = at + 1;
      previous[at] = at - 1;
    }
    const heap = new Heap();
    const rankAt = (at) => this.ranks.get(ids[at] * this.size + ids[next[at]]);
    const consider = (at) => {
      if (at < 0 || next[at] >= ids.length) return;
      const rank = rankAt(at);
      if (rank !== undefined) heap.push(rank * PLACES + at);
    };
    let steps = 0;
    for (let at = 0; at < ids.length; at++) {
      consider(at);
      if (++steps % MERGES_AT_ONCE === 0) yield;
    }
    while (heap.items.length) {
      if (++steps % MERGES_AT_ONCE === 0) yield;
      const found = heap.pop();
      const at = found % PLACES;
      const behind = next[at];
      // A pair of which one was merged since has another rank, or none.
      if (ids[at] < 0 || behind >= ids.length || rankAt(at) !== Math.floor(found / PLACES)) continue;
      ids[at] = this.results[Math.floor(found / PLACES)];
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
      for (const [marks] of text.length > MOST_MARKS ? text.matchAll(/\p{M}+/gu) : []) {
        if (marks.length > MOST_MARKS) throw new Error(`${marks.length} marks on one letter`);
      }
      return text.normalize(step.type);
    case "Lowercase": // letter by letter, whatever stands around it
      return Array.from(text, (letter) => letter.toLowerCase()).join("");
    case "Strip":
      return stripped(text, step.strip_left !== false, step.strip_right !== false);
    case "Replace":
      return text.split(step.pattern.String).join(step.content);
    default:
      throw new Error(`normalizer ${step.type} is not known`);
  }
}

/** A text without white space at its ends. (A pattern for the end would try each space before it.) */
function stripped(text, isLeft, isRight) {
  const isSpace = (at) => IS_WHITE_SPACE.test(text[at]);
  let [start, end] = [0, text.length];
  while (isLeft && start < end && isSpace(start)) start++;
  while (isRight && end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}

/** The least of numbers comes first. */
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
      if (items[parent] <= item) break;
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
      if (child + 1 < items.length && items[child + 1] < items[child]) child++;
      if (items[child] >= last) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return first;
  }
}

/** What a generator returns, without its pauses. */
function finished(generator) {
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
  }
}

globalThis.nsmc = { ...globalThis.nsmc, Tokenizer, finished };
