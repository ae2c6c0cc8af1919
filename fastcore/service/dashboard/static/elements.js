// Elements of the page. All text goes in as text: nothing that a server names can become markup.
import { listen } from "./patch.js";

/** An element: `h("td.number", {title: "…"}, "text", child)`; attributes that are functions are listeners.

`data-key` names it among its siblings: where figures are shown again, the element of that key is kept (see patch.js).
*/
export function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") listen(element, name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child != null && child !== false) element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** A table; a column is [title, row => cell, class], where true is a number's. `key(row)` tells rows apart; `attributes(row)` are those of its tr. */
export function table(caption, columns, rows, { empty = "none", key = null, attributes = () => ({}) } = {}) {
  const cell = (tag, column, content, more = {}) => h(column[2] ? `${tag}.${column[2] === true ? "number" : column[2]}` : tag, more, content);
  return h("div.wide", { tabindex: "0", role: "region", "aria-label": caption, "data-key": caption },
    h("table", {},
      h("caption", {}, h("span", {}, caption)),
      h("thead", {}, h("tr", {}, columns.map((c) => cell("th", c, c[0], { scope: "col" })))),
      h("tbody", {}, rows.length
        ? rows.map((row) => h("tr", { "data-key": key?.(row), ...attributes(row) }, columns.map((c) => cell("td", c, c[1](row)))))
        : h("tr", { "data-key": "no row" }, h("td.quiet", { colspan: columns.length }, h("span", {}, empty))))));
}

/** A name that a narrow column breaks after its words, as in `analysis.` `calculate_` `indicators`. */
export const breakable = (text) => String(text).split(/(?<=[._/:-])/).flatMap((word, i) => (i ? [h("wbr"), word] : word));

/** Says that a list was cut, where it was. */
export const cut = (shown, all, more = "") => (all > shown ? h("p.quiet", { "data-key": "cut" }, `${number(shown)} of ${number(all)}${more}`) : null);

export const card = (title, ...children) => h("section.card", { "aria-label": title, "data-key": title }, h("h2", {}, title), children);

export const tile = (name, value, note = "") =>
  h("dl.tile", { "data-tile": name, "data-key": name }, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null));

export const state = (kind, text) => h(`span.state.state-${kind}`, {}, text);

const SEVERITY = { info: "good", warning: "warn", critical: "bad" };

export const severity = (name) => state(SEVERITY[name] ?? "warn", name);

const asNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const number = (value, digits) =>
  value == null || Number.isNaN(value) ? "–"
    : digits == null ? asNumber.format(value) : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const percent = (ratio, digits = 1) => (ratio == null ? "–" : `${number(100 * ratio, digits)} %`);

function scaled(value, units, step) {
  if (value == null || Number.isNaN(value)) return "–";
  let i = 0;
  while (i < units.length - 1 && Math.abs(value) >= step) { value /= step; i += 1; }
  return `${Number(value.toPrecision(3))} ${units[i]}`;
}

export const bytes = (value) => scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);

export const seconds = (value) =>
  value == null ? "–" : value >= 60 ? duration(value) : value >= 1 ? `${Number(value.toPrecision(3))} s`
    : scaled(value * 1e9, ["ns", "µs", "ms"], 1000);

export function duration(value) {
  const s = Math.round(value);
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => s >= size);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).map(([size, unit], i) =>
    `${Math.floor((i ? s % parts[first][0] : s) / size)} ${unit}`).join(" ");
}

/** A time of day, with the date unless it is today's. */
export function clock(epochSeconds) {
  if (epochSeconds == null) return "–";
  const at = new Date(1000 * epochSeconds);
  const time = at.toLocaleTimeString([], { hour12: false });
  return at.toDateString() === new Date().toDateString() ? time
    : `${at.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })} ${time}`;
}
