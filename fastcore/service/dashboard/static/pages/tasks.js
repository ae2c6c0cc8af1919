import { card, clock, duration, h, number, table } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";
import { taskList } from "../tasks/list.js";
import { names } from "../tasks/names.js";
import { taskPage } from "../tasks/task.js";
import { WORDS } from "../tasks/words.js";
import { timeline } from "../timeline.js";

export const title = "Tasks";

export function view() {
  const element = h("div");
  let inner = null;
  return {
    element,
    leave() { inner?.leave(); inner = null; },
    /** Show all tasks, or the one that the address names. */
    show(body, wanted, query) {
      if (!body.installed) {
        refill(element, card("Tasks", h("p.quiet", {}, "No task queue is installed. ", h("code", {}, "install(app, tasks=TaskQueue(\"sqlite:///tasks.db\"))"), " adds one.")));
        return;
      }
      if (!inner || inner.id !== wanted) {
        inner?.leave();
        inner = wanted ? taskPage(wanted) : allTasks();
        element.replaceChildren(inner.element);
        inner.follow();
      }
      inner.show(body, query);
    },
  };
}

function allTasks() {
  const ended = timeline("Tasks that ended and failed, a second", [["tasks", "ended a second", "candidate"], ["tasks_failed", "failed a second", "bad"]]);
  const waiting = timeline("Tasks that wait and run", [["tasks_waiting", "waiting", "second"], ["tasks_running", "running", "candidate"]]);
  const list = taskList();
  const figures = h("div"), rest = h("div");
  return {
    id: "",
    element: h("div", {}, figures, list.element, h("div.columns", {}, card("Throughput", ended.element), card("Queue", waiting.element)), rest),
    follow() { ended.follow(); waiting.follow(); },
    leave() { ended.leave(); waiting.leave(); },
    show(body, query) {
      refill(figures, h("div.cards", {}, Object.entries(body.counts).map(([name, count]) => h("a.tile", { href: address("tasks", "", { state: name }), "data-tile": name, "data-key": name },
        h("dl", {}, h("dt", {}, name), h("dd", {}, number(count), WORDS[name] ? h("small", {}, WORDS[name]) : null))))));
      list.show(body, query);
      refill(rest, card("By name", names(body)), card("Schedules", table("Calls submitted by schedule", [
        ["Schedule", (s) => s.name], ["When", (s) => s.when], ["Last", (s) => (s.last == null ? "not yet" : clock(s.last))],
        ["Next", (s) => `${clock(s.next)} (${s.next > body.at ? `in ${duration(s.next - body.at)}` : "due"})`],
      ], body.schedules, { key: (s) => s.name, empty: "no schedule: queue.schedule(task, every=60) adds one" })));
    },
  };
}
