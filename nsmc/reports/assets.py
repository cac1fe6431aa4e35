"""The page's style and script. They are kept here and not in files so that every install has them.

The script sorts the tables and draws the pictures; the page is legible without it.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c2126; --faint: #5b6570; --line: #d9dee3; --best: #e8f3ec;
  --head: #f4f6f8; --accent: #0067a3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15191d; --text: #e4e8ec; --faint: #9aa5b1; --line: #343b43; --best: #17352a;
    --head: #1e242a; --accent: #6cb8ea;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(0.75rem, 3vw, 2.5rem) 3rem; max-width: 84rem;
  background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { font-size: 1.6rem; margin: 0 0 0.25rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 0.6rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.4rem; }
p { margin: 0.3rem 0; }
p, li, td { overflow-wrap: anywhere; }
.faint { color: var(--faint); font-size: 0.9rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; max-height: 80vh; }
.scroll:focus-visible, button:focus-visible {
  outline: 2px solid var(--accent); outline-offset: -2px;
}
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; }
.leaderboard td {
  white-space: nowrap; max-width: 22rem; overflow: hidden; text-overflow: ellipsis;
}
tbody tr:last-child td { border-bottom: 0; }
th { background: var(--head); position: sticky; top: 0; white-space: nowrap; font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.best td { background: var(--best); font-weight: 650; }
th button {
  all: unset; cursor: pointer; display: inline-block; padding: 0.1rem 0; font-weight: 600;
}
th button::after { content: "\\2195"; margin-left: 0.35em; color: var(--faint); opacity: 0.5; }
th[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; color: var(--accent); }
th[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; color: var(--accent); }
.pictures { display: grid; gap: 0 2rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 62rem) { .pictures { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
.pictures section { min-width: 0; }
.wide { grid-column: 1 / -1; }
.status { white-space: nowrap; font-weight: 600; }
"""

SCRIPT = """
"use strict";

// Compares two cells; empty ones come last in either direction.
function compare(one, other, direction) {
  const [a, b] = [one.dataset.value, other.dataset.value];
  if (a === "" || b === "") return (a === "") - (b === "");
  const difference = Number(a) - Number(b);
  const order = Number.isNaN(difference) ? a.localeCompare(b, undefined, {numeric: true})
                                         : difference;
  return direction === "descending" ? -order : order;
}

function sortBy(table, head) {
  const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((a, b) => compare(a.cells[head.cellIndex], b.cells[head.cellIndex], direction));
  body.append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
}

for (const table of document.querySelectorAll(".leaderboard")) {
  for (const head of table.tHead.rows[0].cells) {
    head.querySelector("button").addEventListener("click", () => sortBy(table, head));
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 40rem)");

function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const line = style.getPropertyValue("--line"), text = style.getPropertyValue("--text");
  const layout = structuredClone(figure.layout);
  Object.assign(layout, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {color: text, family: getComputedStyle(document.body).fontFamily, size: 12},
    hoverlabel: {align: "left"},
    modebar: {
      bgcolor: "rgba(0,0,0,0)", color: style.getPropertyValue("--faint"),
      activecolor: style.getPropertyValue("--accent"),
    },
  });
  for (const axis of [layout.xaxis, layout.yaxis]) {
    Object.assign(axis, {gridcolor: line, zerolinecolor: line, linecolor: line});
  }
  if (figure.ticks && narrow.matches) {
    layout.yaxis.ticktext = figure.ticks;
    layout.yaxis.title = {text: "rank"};
  }
  return layout;
}

const figures = JSON.parse(document.getElementById("figures").textContent);

const BUTTONS = [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]];

function draw() {
  figures.forEach((figure, place) => {
    const options = {responsive: true, displaylogo: false, modeBarButtons: BUTTONS};
    Plotly.react(`figure-${place}`, figure.data, themed(figure), options);
  });
}

draw();
dark.addEventListener("change", draw);
narrow.addEventListener("change", draw);
"""
