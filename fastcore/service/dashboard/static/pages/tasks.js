import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { card, clock, h, number, percent, refill, seconds, state, table, tile } from "../elements.js";

export const title = "Tasks";

const KIND = { succeeded: "good", failed: "bad", dead: "bad", cancelled: "warn", running: "good", queued: "warn" };

const columns = (may) => [
  ["Task", (t) => h("span", { title: t.id }, t.name)],
  ["State", (t) => state(KIND[t.state] ?? "warn", t.state)],
  ["Priority", (t) => number(t.priority), true],
  ["Attempt", (t) => number(t.attempt), true],
  ["Progress", (t) => (t.progress == null ? "–" : [h("progress", { max: 1, value: t.progress, "aria-label": `progress of ${t.name}` }), ` ${percent(t.progress, 0)} ${t.note ?? ""}`])],
  ["Queued", (t) => clock(t.queued)],
  ["Took", (t) => seconds(t.took), true],
  ["Error", (t) => t.error ?? "–"],
  ["Again", (t) => (t.retryable ? h("button", { type: "button", disabled: !may, "aria-label": `Retry ${t.name}`,
    click: () => act(`Retry ${t.name}`, () => api(`tasks/${encodeURIComponent(t.id)}/retry`, { method: "POST", body: {} })) }, "Retry") : "–")],
];

export function view() {
  const element = h("div");
  return {
    element,
    show(body) {
      if (!body.installed) {
        refill(element, card("Tasks", h("p.quiet", {}, "No task queue is installed: install(app, tasks=queue).")));
        return;
      }
      const rows = (caption, tasks, empty) => table(caption, columns(body.writable && !locked()), tasks, { empty });
      refill(element,
        h("div.cards", {}, Object.entries(body.counts).map(([name, count]) => tile(name, number(count)))),
        body.dead.length ? card("Dead letters", rows("They failed at every attempt, and wait to be looked at", body.dead)) : null,
        card("Recent tasks", rows("Newest first", body.tasks, "no task yet")),
        body.schedules.length ? card("Schedules", table("What runs by itself", [
          ["Schedule", (s) => s.name], ["When", (s) => s.when], ["Last", (s) => clock(s.last)], ["Next", (s) => clock(s.next)],
        ], body.schedules)) : null);
    },
  };
}
