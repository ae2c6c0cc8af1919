// The attempts of one task on a line of time.
import { clock, h, number, seconds, table } from "../elements.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000, HEIGHT = 34;

/** What a task did when: spans of [from, to, kind, words]. */
export function spans(t) {
  const latest = t.started == null || t.state === "queued" ? null : {
    attempt: t.attempt, started: t.started, ended: t.finished, error: t.error && t.finished ? `${t.error.type}: ${t.error.text}` : "",
  };
  const same = (one) => latest?.ended != null && Math.abs(one.ended - latest.ended) < 1e-3;
  const attempts = [...t.earlier.filter((one) => !same(one)), ...(latest ? [latest] : [])];
  const found = [];
  let from = t.queued;
  for (const one of attempts) {
    const started = one.started ?? one.ended;
    if (started > from) found.push([from, started, "waits", found.length ? "waits for the next attempt" : "waits"]);
    const end = one.ended ?? t.at;
    const how = one.ended == null ? "runs" : one === latest && t.state === "succeeded" ? "succeeded" : one === latest && t.state === "cancelled" ? "cancelled" : "failed";
    found.push([started, end, how, one.error || how, one.attempt]);
    from = end;
  }
  if (t.state === "queued" && t.at > from) found.push([from, t.at, "waits", found.length ? "waits for the next attempt" : "waits"]);
  return found;
}

/** How many earlier attempts this process does not know. */
const unknown = (t, known) => Math.max(0, t.attempt - new Set(known.map((s) => s[4]).filter((n) => n != null)).size);

export function attemptLine(t) {
  const known = spans(t);
  if (!known.length) return h("p.quiet", {}, "Nothing has happened to it yet.");
  const missing = unknown(t, known);
  const start = t.queued, length = Math.max(known.at(-1)[1] - start, 1e-6);
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("class", "attempts");
  picture.setAttribute("aria-hidden", "true"); // the table below says it in words
  for (const [from, to, kind] of known) {
    const bar = document.createElementNS(SVG, "rect");
    const width = Math.max(3, (WIDTH * (to - from)) / length);
    bar.setAttribute("x", String(Math.min(WIDTH - width, (WIDTH * (from - start)) / length)));
    bar.setAttribute("y", kind === "waits" ? "13" : "4");
    bar.setAttribute("width", String(width));
    bar.setAttribute("height", kind === "waits" ? "8" : "26");
    bar.setAttribute("class", `span-${kind}`);
    picture.append(bar);
  }
  return [h("div", { "data-key": "line" }, picture),
    h("p.ends.quiet", { "data-key": "ends" }, h("span", {}, clock(start)), h("span", {}, seconds(length)), h("span", {}, clock(known.at(-1)[1]))),
    table("What happened", [
      ["Attempt", (s) => s[4] ?? "–", true], ["What", (s) => s[3]], ["From", (s) => clock(s[0])], ["Took", (s) => seconds(s[1] - s[0]), true],
    ], known, { key: (s) => `${s[0]} ${s[2]}` }),
    missing === 0 ? null : h("p.quiet", { "data-key": "missing" }, missing === 1
      ? "1 earlier attempt is not shown: it ran in another process, or before this one started."
      : `${number(missing)} earlier attempts are not shown: they ran in another process, or before this one started.`)];
}
