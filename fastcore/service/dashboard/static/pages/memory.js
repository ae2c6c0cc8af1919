import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { colour } from "../charts.js";
import { bytes, card, h, number, percent, seconds, state, table, tile } from "../elements.js";
import { refill } from "../patch.js";
import { timeline } from "../timeline.js";

export const title = "Memory";

const WATCH = { ok: "good", pending: "warn", firing: "bad" };

export function view() {
  let limits = []; // shares of the limit at which the watch fires and clears, with their colours
  const plot = timeline("Memory of this process, and share of the limit in use, over time",
    [["rss", "this process, MiB", "candidate", { factor: 2 ** -20 }], ["memory", "in use of the limit", "second", { yaxis: "y2" }]], () => ({
      yaxis: { title: { text: "MiB" } },
      yaxis2: { overlaying: "y", side: "right", range: [0, 1], tickformat: ".0%", tickvals: [0, 0.25, 0.5, 0.75, 1], showgrid: false },
      margin: { l: 48, r: 48, t: 28, b: 36 },
      shapes: limits.map(([at, name]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y2", y0: at, y1: at, line: { color: colour(name), dash: "dot", width: 1 } })),
    }));
  const figures = h("div"), collector = h("div");
  const shrink = h("button", { type: "button", click: () => act("Shrink caches", () => api("memory/shrink", { method: "POST", body: {} })) }, "Shrink caches and collect");
  return {
    element: h("div", {}, figures, card("Memory over time", plot.element), h("div.controls", {}, shrink), collector),
    follow: plot.follow,
    leave: plot.leave,
    show(body) {
      shrink.disabled = locked() || !body.writable;
      limits = [[body.high, "bad"], [body.low, "warn"]].filter(([at]) => at != null);
      refill(figures, h("div.cards", {},
        tile("This process", bytes(body.rss), "resident"),
        tile("In use", percent(body.used_ratio), `of ${bytes(body.limit)} (${body.limited_by})`),
        tile("Watch", state(WATCH[body.watch] ?? "warn", body.watch), body.high == null ? "no memory watch is installed" : `fires at ${percent(body.high, 0)}, clears at ${percent(body.low, 0)}`),
        tile("Collector", body.gc.enabled ? "on" : "off", `thresholds ${body.gc.thresholds.join(", ")}`),
        tile("Frozen", number(body.gc.frozen), "objects")));
      refill(collector, card("Garbage collection", table("By generation", [
        ["Generation", (g) => g.generation, true], ["Collections", (g) => number(g.collections), true],
        ["Collected", (g) => number(g.collected), true], ["Uncollectable", (g) => number(g.uncollectable), true],
        ["Pauses, sum", (g) => seconds(g.pause_sum), true], ["Pauses, longest", (g) => seconds(g.pause_max), true],
      ], body.gc.generations, { key: (g) => g.generation })));
    },
  };
}
