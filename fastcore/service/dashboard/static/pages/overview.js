import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { ask } from "../dialog.js";
import { breakable, bytes, card, clock, duration, h, number, percent, seconds, severity, state, table, tile } from "../elements.js";
import { address } from "../place.js";
import { ask as readPast, rangeName, watch } from "../past.js";
import { refill } from "../patch.js";
import { change, sparkline } from "../sparkline.js";

export const title = "Overview";

async function addMark() {
  const given = await ask("Add a mark", "It is shown on every chart, as a deployment for instance.", [{ label: "Text" }], "Add");
  if (given !== null) await act("Mark", () => api("marks", { method: "POST", body: { text: given[0] } }).then(readPast));
}

const perSecond = (value) => (value == null ? "–" : `${number(value, value < 10 ? 1 : 0)}/s`);

// [series, tile, how its mean is written, whether less is better, where it leads]
const SERIES = [
  ["requests", "Requests", perSecond, false, "requests"],
  ["p95", "Latency, p95", seconds, true, "requests"],
  ["errors", "Errors (5xx)", perSecond, true, "requests"],
  ["cpu", "CPU of a core", (cores) => percent(cores, 0), true, null],
  ["rss", "Memory", bytes, true, "memory"],
  ["tasks", "Tasks ended", perSecond, false, "tasks"],
  ["delivered", "Deliveries", perSecond, false, "streaming"],
  ["hit_ratio", "Cache hits", (ratio) => percent(ratio), false, "caches"],
];

export function view() {
  const problems = h("div"), lines = h("div"), rest = h("div");
  let stop = null;

  /** Show the series of the past as small lines, and what was gained. */
  function drawPast(past) {
    const known = SERIES.filter(([series]) => past.mean[series] != null);
    const saved = past.mean.saved;
    refill(lines, card(`The last ${rangeName()}`,
      h("div.cards", {}, known.map(([series, text, write, lower, page]) => h(page ? "a.tile" : "div.tile", { href: page && address(page), "data-tile": text, "data-key": text, "data-series": series },
        h("dl", {}, h("dt", {}, text), h("dd", {}, write(past.mean[series]), change(past.mean[series], past.before[series], { lower }))), sparkline(past.series[series])))),
      saved == null ? null : h("p", { "data-key": "saved" }, saved >= 0 ? `The candidates saved their callers ${seconds(saved)} a minute.` : `The candidates cost their callers ${seconds(-saved)} a minute.`),
      past.marks.length ? h("ul.wrong", { "data-key": "marks" }, past.marks.slice(-8).reverse().map((m) => h("li", { "data-key": `${m.at} ${m.text}` }, h("span.quiet", {}, clock(m.at)), " ", m.text))) : null,
      locked() ? null : h("div.controls", { "data-key": "add" }, h("button", { type: "button", click: addMark }, "Add a mark"))));
  }

  return {
    element: h("div", {}, problems, lines, rest),
    follow() { stop ??= watch(drawPast); },
    leave() { stop?.(); stop = null; },
    show(body) {
      const t = body.tiles;
      refill(problems, card("Problems", body.wrong.length
        ? h("ul.wrong", {}, body.wrong.map((w) => h("li", { "data-key": w.text }, severity(w.severity), " ", h("a", { href: address(w.page, w.page === "tasks" ? "" : w.what, w.page === "tasks" ? { state: w.what } : {}) }, w.text))))
        : h("p", {}, state("good", "ok"), " no problems detected")));
      refill(rest,
        h("div.cards", {},
          tile("Running for", duration(body.uptime)),
          tile("Compiled paths", `${t.compiled} of ${body.paths.length}`, t.rolled_back ? `${t.rolled_back} rolled back` : "none rolled back"),
          tile("Memory in use", t.used_ratio == null ? "–" : percent(t.used_ratio, 0), "of the limit"),
          t.clients == null ? null : tile("Clients", number(t.clients)),
          t.tasks_waiting == null ? null : tile("Tasks", number(t.tasks_waiting), `waiting; ${number(t.tasks_running)} running`)),
        card("Implementations", table("Hot paths", [
          ["Path", (p) => h("a", { href: address("switches", p.name) }, p.name)],
          ["Runs", (p) => state(p.runs === "compiled" ? "good" : p.runs === "unavailable" ? "bad" : "warn", p.runs)],
          ["Instruction set", (p) => p.isa || "–"],
          ["Why", (p) => p.why],
        ], body.paths, { key: (p) => p.name })),
        card("Improvements", table("Switches, medians of both arms", [
          ["Switch", (s) => h("a", { href: address("switches", s.name) }, breakable(s.name))],
          ["Mode", (s) => s.mode],
          ["Control", (s) => seconds(s.control_p50), true],
          ["Candidate", (s) => seconds(s.candidate_p50), true],
          ["Improvement", (s) => (s.improvement == null ? "–" : `${number(s.improvement, 1)} %`), true],
          ["Verdict", (s) => s.verdict],
        ], body.gains, { key: (s) => s.name, empty: "no Switch has run yet" })));
    },
  };
}
