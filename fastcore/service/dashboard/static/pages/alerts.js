import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { ask } from "../dialog.js";
import { card, clock, cut, duration, h, severity, state, table } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";

export const title = "Alerts";

const labelled = (labels) => Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(", ") || "–";

async function silence(rule, labels = {}) {
  const where = Object.keys(labels).length ? ` (${labelled(labels)})` : "";
  const given = await ask(`Silence ${rule}${where}`, "No channel is notified meanwhile; the alert is still shown here.", [
    { label: "Duration, such as 30m, 2h or 1d", value: "1h" },
    { label: "Reason (optional)", required: false },
  ], "Silence");
  if (given === null) return;
  const [duration, reason] = given;
  await act(`Silence ${rule}`, () => api("alerts/silence", { method: "POST", body: { rule, labels, duration, reason } }));
}

const end = (one) => act(`End the silence of ${one.rule}`, () => api(`alerts/silences/${encodeURIComponent(one.id)}/end`, { method: "POST", body: {} }));

const button = (text, name, disabled, click) => h("button", { type: "button", disabled, "aria-label": `${text} ${name}`, click }, text);

export function view() {
  const element = h("div");
  return {
    element,
    /** Show the alerts; `wanted` is the rule that the address names. */
    show(body, wanted) {
      if (!body.installed) {
        refill(element, card("Alerts", h("p.quiet", {}, "No alerts are installed: ", h("code", {}, "install(app, alerts=True)"), " evaluates the default rules.")));
        return;
      }
      const may = body.writable && !locked();
      const chosen = (name) => ({ "aria-selected": String(name === wanted) });
      const rule = (name) => h("a", { href: address("alerts", name) }, name);
      refill(element,
        card("Firing now", table("Most severe first", [
          ["Severity", (a) => severity(a.severity)],
          ["Alert", (a) => rule(a.rule)],
          ["What", (a) => a.summary],
          ["Where", (a) => labelled(a.labels)],
          ["Since", (a) => `${clock(a.since)} (${duration(Math.max(0, body.at - a.since))})`],
          ["Silence", (a) => (a.silenced ? state("quiet", `until ${clock(a.silenced)}`) : button("Silence", a.rule, !may, () => silence(a.rule, a.labels)))],
        ], body.firing, { key: (a) => a.id, empty: "no alert is firing", attributes: (a) => chosen(a.rule) }), cut(body.firing.length, body.count, ", the most severe")),
        body.silences.length ? card("Silences", table("Those that end first at the top", [
          ["Alert", (s) => rule(s.rule)], ["Where", (s) => labelled(s.labels)], ["Ends", (s) => `${clock(s.until)} (in ${duration(s.until - body.at)})`],
          ["Who", (s) => s.who], ["Reason", (s) => s.reason || "–"], ["Change", (s) => button("End", `the silence of ${s.rule}`, !may, () => end(s))],
        ], body.silences, { key: (s) => s.id })) : null,
        card(wanted ? `History of ${wanted}` : "History", wanted ? h("p", { "data-key": "all" }, h("a", { href: address("alerts") }, "History of all alerts")) : null, table(`What began and ended in ${body.shared ? "all workers of this host" : "this process"}, the latest first`, [
          ["When", (e) => clock(e.at)], ["State", (e) => state(e.state === "firing" ? "bad" : "good", e.state)], ["Severity", (e) => e.severity],
          ["Alert", (e) => rule(e.rule)], ["What", (e) => e.summary], ["Notified", (e) => (e.silenced ? "silenced" : "yes")],
        ], body.history.filter((e) => !wanted || e.rule === wanted), { key: (e) => `${e.at} ${e.id} ${e.state}`, empty: body.shared ? "no alert yet" : "no alert since this process started" })),
        card("Rules", table("Evaluated rules", [
          ["Alert", (r) => rule(r.name)],
          ["Severity", (r) => r.severity],
          ["Fires", (r) => r.condition],
          ["State", (r) => (r.firing ? state("bad", "fires") : state("good", "quiet"))],
          ["Silence", (r) => button("Silence", `rule ${r.name}`, !may, () => silence(r.name))],
        ], body.rules, { key: (r) => r.name, empty: "no rules: AlertManager(rules=[Rule(…)])", attributes: (r) => chosen(r.name) })));
    },
  };
}
