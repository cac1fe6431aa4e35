// Files of reviews: lines, CSV or TSV in, whatever their encoding; TSV out.
"use strict";

const TEXT_COLUMNS = ["document", "text", "review", "sentence", "comment", "content", "리뷰", "내용", "본문"];

/** The text of a file's bytes, in UTF-8, UTF-16 or the code page of Korean Windows; null if it is no text. */
function textOf(buffer) {
  const bytes = new Uint8Array(buffer);
  const first = bytes.subarray(0, 1024);
  const nulls = (start) => first.filter((byte, at) => at % 2 === start && byte === 0).length;
  const isWide = (start) => 8 * nulls(start) > first.length && !nulls(1 - start);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || isWide(1)) return new TextDecoder("utf-16le").decode(bytes);
  if ((bytes[0] === 0xfe && bytes[1] === 0xff) || isWide(0)) return new TextDecoder("utf-16be").decode(bytes);
  if (first.includes(0)) return null; // a workbook, an archive, a picture
  const read = new TextDecoder().decode(bytes);
  const wrong = read.match(/\ufffd/g)?.length ?? 0;
  const others = read.match(/[^\0-\x7f]/g)?.length ?? 0;
  if (2 * wrong <= others) return read; // UTF-8, or UTF-8 with some damage
  try {
    return new TextDecoder("euc-kr", { fatal: true }).decode(bytes);
  } catch {
    return read;
  }
}

/** The rows of a file's text, and the names of its columns; [] where each line is a review. */
function rowsOf(text, name) {
  const content = text.replace(/^\ufeff/, "");
  const separator = separatorOf(content, name);
  if (!separator) {
    const lines = content.split(/\r\n|\n|\r/).filter((line) => line.trim());
    return { columns: [], rows: lines.map((line) => [line]) };
  }
  const isQuoted = /\.csv$/i.test(name);
  const records = isQuoted
    ? quotedRecords(content, separator)
    : content.split(/\r\n|\n|\r/).map((line) => line.split("\t"));
  const [columns = [], ...rows] = records.filter((record) => record.length > 1 || record[0]);
  return { columns, rows };
}

/** What stands between the fields of a file; "" where it has none. */
function separatorOf(content, name) {
  const [header] = content.split(/[\r\n]/, 1);
  const count = (separator) => header.split(separator).length;
  if (/\.csv$/i.test(name)) return [",", ";", "\t"].reduce((best, each) => (count(each) > count(best) ? each : best));
  return /\.(tsv|txt)$/i.test(name) && header.includes("\t") ? "\t" : "";
}

/** RFC 4180: fields between separators, quoted where they hold one, a quote or the end of a line. */
function quotedRecords(text, separator) {
  const records = [];
  const plain = new RegExp(`[^${separator}\r\n]*`, "y");
  const end = new RegExp(`${separator}|\r\n|\n|\r|$`, "y");
  let record = [];
  let at = 0;
  while (at < text.length) {
    let field = "";
    const close = text[at] === '"' ? closingQuote(text, at) : -1; // without one, the quote is text
    if (close >= 0) {
      field = text.slice(at + 1, close).replaceAll('""', '"');
      at = close + 1;
    }
    plain.lastIndex = at;
    field += plain.exec(text)[0];
    end.lastIndex = plain.lastIndex;
    const [found] = end.exec(text);
    at = plain.lastIndex + found.length;
    record.push(field);
    if (found === separator && at < text.length) continue;
    if (found === separator) record.push("");
    records.push(record);
    record = [];
  }
  return records;
}

/** Where the quote ends that begins at `start`; -1 where it does not. */
function closingQuote(text, start) {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

/** Which column has the reviews: one with a usual name, else the one with the longest texts. */
function textColumn(columns, rows) {
  const named = columns.findIndex((column) => TEXT_COLUMNS.includes(column.trim().toLowerCase()));
  if (named >= 0) return named;
  const size = (column) => rows.slice(0, 100).reduce((sum, row) => sum + (row[column]?.length ?? 0), 0);
  return columns.reduce((best, _, column) => (size(column) > size(best) ? column : best), 0);
}

/** A file of tab-separated values; white space within a value becomes a space. */
function tsvOf(rows) {
  return rows.map((row) => row.map((value) => String(value).split(/\s+/).join(" ").trim()).join("\t")).join("\n") + "\n";
}

globalThis.nsmc = { ...globalThis.nsmc, textOf, rowsOf, textColumn, tsvOf };
