import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { confirmed } from "../dialog.js";
import { breakable, card, h, number, percent, table } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";
import { timeline } from "../timeline.js";

export const title = "Caches";

async function clear(name) {
  if (!(await confirmed(`Clear ${name}`, "What it holds is computed again when it is asked for.", "Clear"))) return;
  await act(`Clear ${name}`, () => api("caches/clear", { method: "POST", body: { name } }));
}

export function view() {
  const ratio = () => ({ yaxis: { tickformat: ".0%", range: [0, 1.02] } });
  const plot = timeline("Hit ratio over time", [["hit_ratio", "hit ratio", "candidate"]], ratio);
  const heading = h("h2"), list = h("div");
  const chart = h("section.card", { "aria-label": "Hit ratio" }, heading, plot.element);
  return {
    element: h("div", {}, list, chart),
    follow: plot.follow,
    leave: plot.leave,
    /** Show the caches; `wanted` is the one whose past is drawn. */
    show(body, wanted) {
      const known = body.caches.find((c) => c.name === wanted);
      heading.textContent = known ? `Hit ratio of ${known.name}` : "Hit ratio of all caches";
      plot.of(known ? `cache/${known.name}` : "");
      chart.hidden = !body.caches.length;
      const may = body.writable && !locked();
      refill(list, card("Named caches", known ? h("p", { "data-key": "all" }, h("a", { href: address("caches") }, "All caches")) : null, table("One cache per row", [
        ["Cache", (c) => h("a", { href: address("caches", c.name) }, breakable(c.name))],
        ["Entries", (c) => number(c.size), true],
        ["Weight", (c) => (c.maxsize == null ? number(c.weight) : [h("meter", { min: 0, max: c.maxsize, value: c.weight, "aria-label": `room taken in ${c.name}` }), ` ${number(c.weight)} of ${number(c.maxsize)}`]), true],
        ["Hits", (c) => number(c.hits), true],
        ["Misses", (c) => number(c.misses), true],
        ["Hit ratio", (c) => (c.hit_ratio == null ? "–" : [h("meter", { min: 0, max: 1, low: 0.5, high: 0.85, optimum: 1, value: c.hit_ratio, "aria-label": `hit ratio of ${c.name}` }), ` ${percent(c.hit_ratio)}`]), true],
        ["Evicted", (c) => Object.entries(c.evictions).filter(([, n]) => n).map(([cause, n]) => `${number(n)} ${cause}`).join(", ") || "–"],
        ["Change", (c) => h("button", { type: "button", disabled: !may || !c.size, "aria-label": `Clear ${c.name}`, click: () => clear(c.name) }, "Clear")],
      ], body.caches, { key: (c) => c.name, empty: "no named cache: @cached(maxsize=1000, name=\"prices\") makes one", attributes: (c) => ({ "aria-selected": String(c === known) }) })));
    },
  };
}
