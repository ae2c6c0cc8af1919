// Tasks by name: how many are where, and what holds for all of a name.
import { breakable, h, number, state, table } from "../elements.js";
import { address } from "../place.js";
import { button, may, ofName } from "./changes.js";

const COUNTS = ["queued", "running", "succeeded", "failed", "dead", "cancelled"];

export function names(body) {
  const able = may(body);
  const count = (kind, name) => (kind[name] ? h("a", { href: address("tasks", "", { name: kind.name, state: name }) }, number(kind[name])) : "–");
  return table("One name per row", [
    ["Task", (k) => [h("a", { href: address("tasks", "", { name: k.name }) }, breakable(k.name)), k.paused ? [" ", state("warn", "paused")] : null, k.queued && !k.registered ? [" ", state("warn", "not registered here")] : null]],
    ...COUNTS.map((name) => [name === "queued" ? "waiting" : name, (k) => count(k, name), true]),
    ["Change", (k) => h("span.buttons", {},
      k.paused ? button("Resume", k.name, !able, () => ofName(k.name, "resume")) : button("Pause", k.name, !able, () => ofName(k.name, "pause")),
      k.queued ? button("Purge", k.name, !able, () => ofName(k.name, "purge")) : null,
      k.dead ? button("Retry dead", k.name, !able, () => ofName(k.name, "retry-dead")) : null)],
  ], body.kinds, { key: (k) => k.name, empty: "no task yet: queue.submit(task, …) adds one" });
}
