// States of tasks: their colours and their words.
import { h, percent, state } from "../elements.js";

export const STATES = ["queued", "running", "succeeded", "failed", "dead", "cancelled"];
const KIND = { succeeded: "good", failed: "bad", dead: "bad", cancelled: "warn", running: "good", queued: "warn" };
export const WORDS = { queued: "waiting", dead: "out of attempts", succeeded: "done", expired: "result deleted" };

const words = (t) => (t.state === "queued" && t.attempt ? "waiting for retry" : WORDS[t.state] ?? t.state);

export const badge = (t) => h("span", { title: t.state }, state(KIND[t.state] ?? "warn", words(t)));

export function progress(t) {
  if (t.state !== "running") return t.note || "–";
  if (t.progress == null) return t.note || "running";
  return [h("progress", { max: 1, value: t.progress, "aria-label": `progress of ${t.name}` }), ` ${percent(t.progress, 0)} ${t.note ?? ""}`];
}
