import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { card, clock, cut, duration, h, number, percent, seconds, state, table, tile } from "../elements.js";
import { refill } from "../patch.js";
import { timeline } from "../timeline.js";

export const title = "Tasks";

const KIND = { succeeded: "good", failed: "bad", dead: "bad", cancelled: "warn", running: "good", queued: "warn" };
const WORDS = { queued: "waiting", dead: "out of attempts", succeeded: "done", expired: "result deleted" };

const words = (t) => (t.state === "queued" && t.attempt ? "waiting for retry" : WORDS[t.state] ?? t.state);

function progress(t) {
  if (t.state !== "running") return t.note || "–";
  if (t.progress == null) return t.note || "running";
  return [h("progress", { max: 1, value: t.progress, "aria-label": `progress of ${t.name}` }), ` ${percent(t.progress, 0)} ${t.note ?? ""}`];
}

const columns = (may) => [
  ["Task", (t) => h("span", { title: t.id }, t.name)],
  ["State", (t) => h("span", { title: t.state }, state(KIND[t.state] ?? "warn", words(t)))],
  ["Priority", (t) => number(t.priority), true],
  ["Attempt", (t) => number(t.attempt), true],
  ["Progress", progress],
  ["Submitted", (t) => clock(t.queued)],
  ["Took", (t) => seconds(t.took), true],
  ["Error", (t) => t.error ?? "–"],
  ["Retry", (t) => (t.retryable ? h("button", { type: "button", disabled: !may, "aria-label": `Retry ${t.name}`,
    click: () => act(`Retry ${t.name}`, () => api(`tasks/${encodeURIComponent(t.id)}/retry`, { method: "POST", body: {} })) }, "Retry") : "–")],
];

export function view() {
  const element = h("div");
  const ended = timeline("Tasks that ended and failed, a second", [["tasks", "ended a second", "candidate"], ["tasks_failed", "failed a second", "bad"]]);
  const waiting = timeline("Tasks that wait and run", [["tasks_waiting", "waiting", "second"], ["tasks_running", "running", "candidate"]]);
  const lines = h("div.columns", {}, card("Throughput", ended.element), card("Queue", waiting.element));
  let shown = null; // what was scrolled to
  return {
    element: h("div", {}, element, lines),
    follow() { ended.follow(); waiting.follow(); },
    leave() { ended.leave(); waiting.leave(); },
    show(body, wanted) {
      lines.hidden = !body.installed;
      if (!body.installed) {
        refill(element, card("Tasks", h("p.quiet", {}, "No task queue is installed: install(app, tasks=queue).")));
        return;
      }
      const all = Object.values(body.counts).reduce((sum, n) => sum + n, 0);
      const rows = (caption, tasks, empty) => table(caption, columns(body.writable && !locked()), tasks, { empty, key: (t) => t.id });
      refill(element,
        h("div.cards", {}, Object.entries(body.counts).map(([name, count]) => tile(name, number(count), WORDS[name] ?? ""))),
        body.dead.length ? card("Dead letters", rows("Failed at every attempt", body.dead),
          cut(body.dead.length, body.counts.dead, ", the newest")) : null,
        card("Recent tasks", rows("Newest first", body.tasks, "no task yet"), cut(body.tasks.length, all, ", the newest")),
        body.schedules.length ? card("Schedules", table("Calls submitted by schedule", [
          ["Schedule", (s) => s.name], ["When", (s) => s.when], ["Last", (s) => (s.last == null ? "not yet" : clock(s.last))],
          ["Next", (s) => `${clock(s.next)} (${s.next > body.at ? `in ${duration(s.next - body.at)}` : "due"})`],
        ], body.schedules, { key: (s) => s.name })) : null);
      if (wanted === "dead" && shown !== wanted) element.querySelector('[data-key="Dead letters"]')?.scrollIntoView();
      shown = wanted;
    },
  };
}
