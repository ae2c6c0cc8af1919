import { card, clock, duration, h, severity, state, table } from "../elements.js";
import { refill } from "../patch.js";

export const title = "Alerts";

export function view() {
  const element = h("div");
  return {
    element,
    /** Show the alerts; `wanted` is the rule that the address names. */
    show(body, wanted) {
      if (!body.installed) {
        refill(element, card("Alerts", h("p.quiet", {}, "No alerts are installed: install(app, alerts=True).")));
        return;
      }
      const chosen = (name) => ({ "aria-selected": String(name === wanted) });
      refill(element,
        card("Firing now", table("Most severe first", [
          ["Severity", (a) => severity(a.severity)],
          ["Alert", (a) => a.rule],
          ["What", (a) => a.summary],
          ["Where", (a) => Object.entries(a.labels).map(([name, value]) => `${name}=${value}`).join(", ") || "–"],
          ["Since", (a) => `${clock(a.since)} (${duration(Math.max(0, body.at - a.since))})`],
        ], body.firing, { key: (a) => a.id, empty: "no alert is firing", attributes: (a) => chosen(a.rule) })),
        card("Rules", table("Evaluated rules", [
          ["Alert", (r) => r.name],
          ["Severity", (r) => r.severity],
          ["State", (r) => (r.firing ? state("bad", "fires") : state("good", "quiet"))],
        ], body.rules, { key: (r) => r.name, empty: "no rules", attributes: (r) => chosen(r.name) })));
    },
  };
}
