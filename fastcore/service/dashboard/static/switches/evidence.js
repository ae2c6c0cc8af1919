// What is known of a candidate: the step of its canary, what that waits for, and how far each decision is.
import { card, h, number, percent, state, table } from "../elements.js";

const SVG = "http://www.w3.org/2000/svg";

const percentWords = (step) => (step ? `${number(step)} %` : "shadow");

/** The step of a canary, and what it waits for. */
export function canary(found) {
  if (!found) return null;
  const share = (wait) => Math.min(1, wait.have / wait.need);
  return card("Canary", h("ol.steps", { "aria-label": "Steps" }, found.steps.map((step) => h("li", { "aria-current": step === found.percent ? "step" : null },
    state(step === found.percent ? "good" : "quiet", percentWords(step)), step < found.percent ? h("span.quiet", {}, " done") : null))),
    found.paused ? h("p", {}, state("warn", "paused: it cannot tell")) : null,
    table("What the step waits for", [
      ["Condition", (w) => w.what],
      ["Progress", (w) => [h("meter", { min: 0, max: 1, value: share(w), "aria-label": w.what }), ` ${percent(share(w), 0)}`]],
      ["Now", (w) => number(w.have, w.need === 1 ? 2 : 0), true], ["Needed", (w) => number(w.need, 0), true],
    ], found.waits, { key: (w) => w.what }));
}

/** The evidence as a bar: to the left for a rollback, to the right for going on; either end decides. */
export function evidence(e) {
  if (!e) return null;
  const slower = `over ${percent(e.slowdown, 0)} slower`;
  return card("Evidence", bar(e.is_slower, e.is_not_slower),
    h("p.ends.quiet", { "data-key": "ends" }, h("span", {}, `rolls back: ${slower}`), h("span", {}, `goes on: not ${slower}`)),
    table("What is known", [["What", (row) => row[0]], ["Value", (row) => row[1], true]], [
      [`that it is ${slower}`, percent(e.is_slower, 0)],
      [`that it is not ${slower}`, percent(e.is_not_slower, 0)],
      ["median of candidate over control", e.ratio == null ? "–" : number(e.ratio, 3)],
      ["agreement", e.pairs ? `${percent(1 - (e.mismatches + e.failures) / e.pairs, 2)} of ${number(e.pairs)}` : "nothing compared yet"],
      ["answers that differ", number(e.mismatches)], ["candidate alone raised", number(e.failures)], ["not comparable", number(e.unknown)],
      ["share of differences that is ruled out", e.excludes == null ? "–" : `above ${percent(e.excludes, 2)}`],
      ["circuit breaker", e.breaker],
    ], { key: (row) => row[0] }),
    e.notes.length ? h("details", { "data-key": "notes" }, h("summary", {}, "Latest differences"), h("ul", {}, e.notes.map((note) => h("li", {}, h("code", {}, note))))) : null,
    e.decision ? h("p", { "data-key": "decision" }, "Last decision: ", e.decision) : null);
}

function bar(left, right) {
  const picture = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 200 12", preserveAspectRatio: "none", class: "evidence", role: "img",
    "aria-label": `evidence for a rollback ${percent(left, 0)}, for going on ${percent(right, 0)}` })) picture.setAttribute(name, value);
  for (const [x, width, kind] of [[100 - 100 * left, 100 * left, "span-failed"], [100, 100 * right, "span-succeeded"], [99.5, 1, "span-middle"]]) {
    const part = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x, y: 0, width, height: 12, class: kind })) part.setAttribute(name, String(value));
    picture.append(part);
  }
  return h("div", { "data-key": "bar" }, picture);
}
