import { address, bytes, card, duration, h, number, percent, seconds, severity, state, table, tile } from "../elements.js";
import { refill } from "../patch.js";

export const title = "Overview";

export function view() {
  const element = h("div");
  return {
    element,
    show(body) {
      const t = body.tiles;
      refill(element, 
        h("div.cards", {},
          tile("Running for", duration(body.uptime)),
          tile("Compiled paths", `${t.compiled} of ${body.paths.length}`, t.rolled_back ? `${t.rolled_back} rolled back` : "none rolled back"),
          tile("Memory", bytes(t.rss), t.used_ratio == null ? "" : `${percent(t.used_ratio, 0)} of the limit in use`),
          t.hit_ratio == null ? null : tile("Cache hits", percent(t.hit_ratio)),
          t.clients == null ? null : tile("Clients", number(t.clients)),
          t.tasks_waiting == null ? null : tile("Tasks", number(t.tasks_waiting), `waiting; ${number(t.tasks_running)} running`)),
        card("Problems", body.wrong.length
          ? h("ul.wrong", {}, body.wrong.map((w) => h("li", { "data-key": w.text }, severity(w.severity), " ", h("a", { href: address(w.page, w.what) }, w.text))))
          : h("p", {}, state("good", "ok"), " no problems detected")),
        card("Implementations", table("Hot paths", [
          ["Path", (p) => h("a", { href: address("switches", p.name) }, p.name)],
          ["Runs", (p) => state(p.runs === "compiled" ? "good" : p.runs === "unavailable" ? "bad" : "warn", p.runs)],
          ["Instruction set", (p) => p.isa || "–"],
          ["Why", (p) => p.why],
        ], body.paths, { key: (p) => p.name })),
        card("Improvements", table("Switches, medians of both arms", [
          ["Switch", (s) => h("a", { href: address("switches", s.name) }, s.name)],
          ["Mode", (s) => s.mode],
          ["Control", (s) => seconds(s.control_p50), true],
          ["Candidate", (s) => seconds(s.candidate_p50), true],
          ["Improvement", (s) => (s.improvement == null ? "–" : `${number(s.improvement, 1)} %`), true],
          ["Verdict", (s) => s.verdict],
        ], body.gains, { key: (s) => s.name, empty: "no Switch has run yet" })));
    },
  };
}
