import { History, chart } from "../charts.js";
import { card, h, number, percent, table } from "../elements.js";
import { refill } from "../patch.js";

export const title = "Caches";

const history = new History();
const COLOURS = ["candidate", "second", "third", "up", "control", "down"];

export function remember(body) {
  history.add(body.at, Object.fromEntries(body.caches.map((c) => [c.name, c.hit_ratio])));
}

export function view() {
  const plot = chart("Hit ratio of each cache over time");
  const list = h("div");
  return {
    element: h("div", {}, list, card("Hit ratio", plot.element)),
    show(body) {
      refill(list, card("Named caches", table("One cache per row", [
        ["Cache", (c) => c.name],
        ["Entries", (c) => number(c.size), true],
        ["Weight", (c) => (c.maxsize == null ? number(c.weight) : `${number(c.weight)} of ${number(c.maxsize)}`), true],
        ["Hits", (c) => number(c.hits), true],
        ["Misses", (c) => number(c.misses), true],
        ["Hit ratio", (c) => (c.hit_ratio == null ? "–" : [h("meter", { min: 0, max: 1, low: 0.5, high: 0.85, optimum: 1, value: c.hit_ratio, "aria-label": `hit ratio of ${c.name}` }), ` ${percent(c.hit_ratio)}`]), true],
        ["Evicted", (c) => Object.entries(c.evictions).filter(([, n]) => n).map(([cause, n]) => `${number(n)} ${cause}`).join(", ") || "–"],
      ], body.caches, { key: (c) => c.name, empty: "no named caches" })));
      plot.draw(history.traces(Object.fromEntries(body.caches.map((c, i) => [c.name, COLOURS[i % COLOURS.length]]))),
        { yaxis: { tickformat: ".0%", range: [0, 1] } });
    },
  };
}
