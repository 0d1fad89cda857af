"""The fixed parts of the HTML report: its style and its script. No word of a snapshot comes in here."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --line: #8888; --bad: #a11212; --warn: #8a5a00; --good: #2c6b2f;
  --box: #f5f5f5; --text: #1b1b1b; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --bad: #ff8f8f; --warn: #ffc766; --good: #8fd694; --box: #2a2a2a; --text: #eee; --page: #171717; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
code, td, .place { font-family: ui-monospace, monospace; font-size: 0.9em; overflow-wrap: anywhere; }
.certain { color: var(--bad); } .possible, .stalled { color: var(--warn); } .live { color: var(--good); }
h1, h2, td.certain, td.possible, td.stalled { font-weight: 600; }
figure { margin: 1rem 0; overflow-x: auto; }
svg text { text-anchor: middle; fill: var(--text); font: 13px system-ui, sans-serif; }
svg .place { font-size: 11px; } svg .edge { font-size: 11px; paint-order: stroke; stroke: var(--page);
  stroke-width: 4px; }
svg rect { fill: var(--box); stroke: var(--text); }
svg path { fill: none; stroke: var(--bad); stroke-width: 1.6px; }
svg path.inferred { stroke-dasharray: 5 4; } svg #tip path { fill: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.3rem 0.6rem; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-decoration: underline dotted; }
input[type=search] { font: inherit; padding: 0.35rem 0.6rem; width: min(28rem, 100%); }
.note { opacity: 0.8; }
"""

SCRIPT = """
"use strict";
const table = document.getElementById("tasks");
const search = document.getElementById("search");
const count = document.getElementById("count");
const rows = Array.from(table.tBodies[0].rows);
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
function filter() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => texts.get(row).includes(word));
    shown += row.hidden ? 0 : 1;
  }
  count.textContent = shown + " of " + rows.length + " rows";
}
function key(cell) {
  return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
}
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") { return one - other; }
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}
Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
  head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) { other.setAttribute("aria-sort", "none"); }
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
    rows.sort((one, other) => (up ? 1 : -1) * compare(keys.get(one), keys.get(other)));
    table.tBodies[0].append(...rows);
  });
});
search.addEventListener("input", filter);
document.getElementById("tools").hidden = false;
filter();
"""
