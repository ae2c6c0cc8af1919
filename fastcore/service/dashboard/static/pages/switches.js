import { go } from "../dashboard.js";
import { chart, colour } from "../charts.js";
import { breakable, card, clock, h, number, seconds, state, table } from "../elements.js";
import { address } from "../place.js";
import { refill } from "../patch.js";
import { makeControls } from "../switches/controls.js";
import { canary, evidence } from "../switches/evidence.js";
import { makeJournal } from "../switches/journal.js";
import { timeline } from "../timeline.js";

export const title = "Switches";

const VERDICT = { pass: "good", fail: "bad", inconclusive: "warn" };
const SOURCE = { rollback: "rolled back by a person", everywhere: "set for all processes",
  set: "set in this process", override: "set for a block of code", file: "flag file", provider: "flag provider" };
const STATE = { trial: "on trial", promoted: "promoted", rolled_back: "rolled back" };

/** Who set a flag, in words; a guard rolls back, and moves a canary on. */
export const setBy = (flag) => (flag.source === "guard" ? (flag.state === "rolled_back" ? "rolled back by its guard" : "set by its guard") : SOURCE[flag.source] ?? flag.source);

let chosen = null; // the flag whose arms are shown
let picked = false; // by somebody; before that it is one with both arms measured

export function view() {
  const element = h("div");
  const plot = chart("Latency of both arms: share of calls by latency");
  const list = h("div"), detail = h("div"), unknown = h("p", { role: "note" });
  const controls = makeControls(), journal = makeJournal();
  const arm = (name, dash) => [[`${name} p50`, `${name}, median`, name, { factor: 1000, dash }], [`${name} p95`, `${name}, p95`, name, { factor: 1000, dash, width: 1, fill: "tonexty" }]];
  const times = timeline("Median and 95th percentile of both arms over time", [...arm("control", "dot"), ...arm("candidate", "solid")], () => ({ yaxis: { title: { text: "ms" } } }), "switch/");
  const shares = timeline("Agreement of both arms and the candidate's share of the calls over time", [["agreement", "agreement", "up"], ["share", "candidate's share", "candidate"]],
    () => ({ yaxis: { tickformat: ".0%", range: [0, 1.02] } }), "switch/");
  element.append(unknown, list, h("div.columns", {}, h("div", {}, detail, controls.element), h("div", {}, card("Latency of both arms", plot.element), card("Latency over time", times.element), card("Agreement and share", shares.element))), journal.element);
  return {
    element,
    follow() { times.follow(); shares.follow(); },
    leave() { times.leave(); shares.leave(); plot.leave(); },
    /** Show the figures; `wanted` is the Switch or the flag that the address names. */
    show(body, wanted, query) {
      const known = body.flags.map((f) => f.name);
      const named = body.switches.find((s) => s.name === wanted);
      if (wanted && (named || known.includes(wanted))) {
        chosen = known.includes(wanted) ? wanted : named.flag;
        picked = true;
      }
      const measured = body.switches.find((s) => s.control.timed && s.candidate.timed);
      if (!picked || !known.includes(chosen)) chosen = (measured ?? body.switches[0])?.flag ?? known[0];
      unknown.hidden = !wanted || Boolean(named) || known.includes(wanted);
      unknown.textContent = `No flag and no Switch has the name ${wanted}; below is ${chosen}.`;
      const flag = body.flags.find((f) => f.name === chosen);
      const obeying = body.switches.filter((s) => s.flag === chosen);
      const arms = obeying.find((s) => s.name === wanted) ?? obeying[0];
      refill(list, card("Flags", table("One flag per row", [
        ["Flag", (f) => h("button", { type: "button", "data-flag": f.name, "aria-pressed": String(f.name === chosen),
          click: () => go(address("switches", f.name)) }, breakable(f.name))],
        ["Mode", (f) => [state(f.state === "rolled_back" ? "bad" : "good", f.mode), STATE[f.state] ? ` ${STATE[f.state]}` : null]],
        ["Source", setBy],
        ["Since", (f) => clock(f.since)],
        ["Reason", (f) => f.reason || "–"],
      ], body.flags, { key: (f) => f.name, attributes: (f) => ({ "aria-selected": String(f.name === chosen), "data-row": f.name }) })));
      refill(detail, card(`Arms of ${arms?.name ?? chosen}`, arms
        ? [h("p", {}, state(VERDICT[arms.verdict], arms.verdict), " ",
            arms.improvement == null ? "no improvement measured yet" : `the candidate's median is ${number(Math.abs(arms.improvement), 1)} % ${arms.improvement >= 0 ? "lower" : "higher"}`),
          table("Both arms", [
            ["Arm", (a) => a.name], ["Calls", (a) => number(a.calls), true], ["Errors", (a) => number(a.errors), true],
            ["p50", (a) => seconds(a.p50), true], ["p95", (a) => seconds(a.p95), true], ["p99", (a) => seconds(a.p99), true],
          ], [arms.control, arms.candidate], { key: (a) => a.name }),
          arms.shadow ? h("p.quiet", {}, `${number(arms.shadow.compared)} compared, ${number(arms.shadow.mismatches)} mismatches`) : null,
          obeying.length > 1 ? h("p", {}, "Other Switches on this flag: ", obeying.filter((s) => s !== arms).map((s, i) =>
            [i ? ", " : "", h("a", { href: address("switches", s.name) }, s.name)])) : null]
        : h("p.quiet", {}, "no Switch on this flag yet")), canary(flag?.canary), evidence(flag?.evidence));
      for (const one of [times, shares]) one.of(`switch/${arms?.name ?? ""}`);
      controls.show(flag, body.writable);
      journal.show(body, query);
      draw(plot, arms);
    },
  };
}

function draw(plot, arms) {
  if (!arms) return plot.draw([]);
  const traces = ["control", "candidate"].map((name) => ({
    name, x: arms[name].quantiles.map((s) => s * 1e6), y: arms.levels, type: "scatter", mode: "lines",
    line: { color: colour(name), width: 2, dash: name === "control" ? "dot" : "solid" },
  }));
  return plot.draw(traces, {
    xaxis: { title: { text: "µs" }, type: "log" },
    yaxis: { title: { text: "share of calls" }, tickformat: ".0%", range: [0, 1] },
  });
}
