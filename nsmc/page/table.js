// Files of reviews: lines, CSV or TSV in; TSV out.
"use strict";

const TEXT_COLUMNS = ["document", "text", "review", "sentence", "comment", "content", "리뷰", "내용", "본문"];

/** The rows of a file's text, and the names of its columns; [] where each line is a review. */
function rowsOf(text, name) {
  const content = text.replace(/^\ufeff/, "");
  const separator = /\.csv$/i.test(name) ? "," : /\.(tsv|txt)$/i.test(name) && /^[^\n]*\t/.test(content) ? "\t" : "";
  if (!separator) {
    const lines = content.split(/\r\n|\n|\r/).filter((line) => line.trim());
    return { columns: [], rows: lines.map((line) => [line]) };
  }
  const records = separator === "," ? quotedRecords(content) : content.split(/\r\n|\n/).map((line) => line.split("\t"));
  const [columns = [], ...rows] = records.filter((record) => record.length > 1 || record[0]);
  return { columns, rows };
}

/** RFC 4180: fields between commas, quoted where they hold a comma, a quote or the end of a line. */
function quotedRecords(text) {
  const records = [];
  const field = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n|\n|\r|$)/gy;
  let record = [];
  while (field.lastIndex < text.length) {
    const found = field.exec(text);
    if (!found) break; // a quote that does not end: what is read so far is all
    record.push(found[1].startsWith('"') ? found[1].slice(1, -1).replaceAll('""', '"') : found[1]);
    if (found[2] !== ",") {
      records.push(record);
      record = [];
    } else if (field.lastIndex === text.length) record.push("");
  }
  if (record.length) records.push(record);
  return records;
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

globalThis.nsmc = { ...globalThis.nsmc, rowsOf, textColumn, tsvOf };
