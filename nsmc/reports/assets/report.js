// Sorts the tables and draws the charts; the page is legible without it.
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

// The colours of the page, and ranks for names where the screen is narrow.
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
  if (figure.ticks.length && narrow.matches) {
    layout.yaxis.ticktext = figure.ticks;
    layout.yaxis.title = {text: "rank"};
  }
  return layout;
}

const BUTTONS = [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]];
const figures = JSON.parse(document.getElementById("figures").textContent);
const elements = document.querySelectorAll(".figure");

function draw() {
  figures.forEach((figure, index) => {
    const options = {
      responsive: true, displaylogo: false, modeBarButtons: BUTTONS,
      toImageButtonOptions: {filename: figure.name},
    };
    Plotly.react(elements[index], figure.data, themed(figure), options);
  });
}

draw();
dark.addEventListener("change", draw);
narrow.addEventListener("change", draw);
