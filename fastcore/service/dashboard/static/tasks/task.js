// One task: what it was called with, its attempts, how far it is, and how it ended.
import { api } from "../api.js";
import { breakable, card, clock, duration, h, number, seconds, table, tile } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";
import { badge, progress } from "./words.js";
import { cancel, may, retry } from "./changes.js";
import { attemptLine } from "./timeline.js";

export function taskPage(id) {
  const element = h("div");
  let asking = false, ended = false;

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      draw(await api(`tasks/${encodeURIComponent(id)}`));
    } catch (error) {
      ended = error.status === 404; // or every second one more would be asked for
      if (ended) refill(element, back(), card("No such task", h("p", {}, error.message), h("p.quiet", {}, "Tasks are forgotten a day after their result was deleted.")));
    }
    asking = false;
  }

  function draw(t) {
    ended = t.finished != null && !t.cancellable;
    const able = may(t);
    const locked = h("p.quiet", {}, "Shown after unlocking with the token: it may hold secrets.");
    refill(element, back(),
      h("div.cards", {},
        tile("Task", breakable(t.name)),
        h("dl.tile", { "data-key": "state" }, h("dt", {}, "State"), h("dd", {}, badge(t), t.cancelling ? h("small", {}, "to be cancelled") : null)),
        tile("Attempt", `${number(t.attempt)} of ${number(t.attempts)}`),
        tile("Took", seconds(t.took), t.started == null ? "not begun" : `began ${clock(t.started)}`),
        tile("Submitted", clock(t.queued), t.state === "queued" && t.run_at > t.at ? `due in ${duration(t.run_at - t.at)}` : ""),
        tile("Priority", number(t.priority))),
      card("Progress", h("p", {}, progress(t)), h("div.controls", {},
        h("button", { type: "button", disabled: !able || !t.retryable, click: () => retry(t).then(ask) }, "Retry"),
        h("button.danger", { type: "button", disabled: !able || !t.cancellable, click: () => cancel(t).then(ask) }, "Cancel task"),
        h("a", { href: address("tasks", "", { name: t.name }) }, `All of ${t.name}`),
        t.group ? h("a", { href: address("tasks", "", { group: t.group }) }, "Its group") : null)),
      card("Attempts", attemptLine(t)),
      t.error ? card("Error", h("p", {}, h("strong", {}, t.error.type), `: ${t.error.text}`),
        t.whole ? h("pre", { tabindex: "0", role: "region", "aria-label": "Traceback" }, t.error.trace || "no traceback was kept") : locked) : null,
      card("Arguments", !t.whole ? locked : t.arguments == null ? h("p.quiet", {}, "The store keeps them until the task has ended.")
        : table("Arguments of the call", [["Name", (a) => a.name], ["Value", (a) => h("code", {}, a.value)]], t.arguments, { key: (a) => a.name, empty: "none" })),
      t.result != null ? card("Result", h("pre.wrapped", { tabindex: "0", role: "region", "aria-label": "Result of the call" }, t.result)) : null,
      card("Further", table("What else is known", [["What", (row) => row[0]], ["Value", (row) => row[1]]], [
        ["id", h("code", {}, t.id)], ["unique key", t.unique_key], ["group", t.group],
        ["result kept until", t.expires == null ? null : clock(t.expires)],
        ["members", Object.entries(t.members).map(([state, n]) => `${number(n)} ${state}`).join(", ")],
      ].filter((row) => row[1]), { key: (row) => row[0] })));
  }

  const back = () => h("p", { "data-key": "back" }, h("a", { href: address("tasks") }, "All tasks"));
  refill(element, back(), h("p.quiet", {}, "reading…"));
  ask();
  return { id, element, show() { if (!ended) ask(); }, follow() {}, leave() {} };
}
