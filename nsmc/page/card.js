// The model card, of the Markdown that model cards have: headings, paragraphs, lists, tables, code.
"use strict";

/** The blocks of a card: each a tag, and its text, items or rows. The metadata before it is left out. */
function blocksOf(markdown) {
  const lines = markdown.replace(/^---\n[^]*?\n---\n/, "").split(/\r?\n/);
  const blocks = [];
  while (lines.length) {
    const take = (pattern) => {
      const taken = [];
      while (lines.length && pattern.test(lines[0])) taken.push(lines.shift());
      return taken;
    };
    const [line] = lines;
    const heading = /^(#+) +(.*)/.exec(line);
    if (!line.trim()) lines.shift();
    else if (heading) {
      blocks.push({ tag: heading[1].length > 1 ? "h4" : "h3", text: heading[2] });
      lines.shift();
    } else if (line.startsWith("```")) {
      lines.shift();
      blocks.push({ tag: "pre", text: take(/^(?!```)/).join("\n") });
      lines.shift();
    } else if (/^ {4}/.test(line)) {
      blocks.push({ tag: "pre", text: take(/^( {4}|\s*$)/).map((each) => each.slice(4)).join("\n").trimEnd() });
    } else if (line.startsWith("|")) {
      const cells = (row) => row.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim());
      const [head, , ...rows] = take(/^\|/).map(cells); // the second one is a line
      blocks.push({ tag: "table", head: head.some(Boolean) ? head : [], rows });
    } else if (/^[-*] /.test(line)) {
      const items = [];
      for (const each of take(/^([-*] | {2}\S)/)) {
        if (/^[-*] /.test(each)) items.push(each.slice(2));
        else items[items.length - 1] += ` ${each.trim()}`;
      }
      blocks.push({ tag: "ul", items });
    } else {
      blocks.push({ tag: "p", text: [lines.shift(), ...take(/^(?![#|`\s]|[-*] |$)/)].join(" ") });
    }
  }
  return blocks;
}

/** The elements of a card. Of links the text is shown: the page asks nothing of the network. */
function elementsOf(markdown) {
  return blocksOf(markdown).map((block) => {
    if (block.tag === "pre") return element("pre", block.text);
    if (block.tag === "ul") return element("ul", ...block.items.map((item) => element("li", ...inline(item))));
    if (block.tag !== "table") return element(block.tag, ...inline(block.text));
    const row = (tag, cells) => element("tr", ...cells.map((cell) => element(tag, ...inline(cell))));
    const head = block.head.length ? [row("th", block.head)] : [];
    return element("table", ...head, ...block.rows.map((cells) => row("td", cells)));
  });
}

function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]*\]\([^)]*\))/).map((part) => {
    if (/^`.+`$/.test(part)) return element("code", part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return element("strong", part.slice(2, -2));
    return part.replace(/^\[([^\]]*)\]\([^)]*\)$/, "$1");
  });
}

globalThis.nsmc = { ...globalThis.nsmc, blocksOf, elementsOf };
