import { act, ask } from "../dashboard.js";
import { api, locked } from "../api.js";
import { chart, colour } from "../charts.js";
import { card, clock, h, number, percent, refill, seconds, state, table } from "../elements.js";

export const title = "Switches";

const VERDICT = { pass: "good", fail: "bad", inconclusive: "warn" };
let chosen = null; // the flag whose arms are shown
let picked = false; // by somebody; before that it is one with both arms measured

export function view() {
  const element = h("div");
  const plot = chart("Latency of both arms: share of calls by latency");
  const list = h("div"), detail = h("div"), controls = h("div"), journal = h("div");
  element.append(list, h("div.columns", {}, h("div", {}, detail, controls), card("Latency of both arms", plot.element)), journal);
  let shownControls = null;
  return {
    element,
    show(body) {
      const known = body.flags.map((f) => f.name);
      const measured = body.switches.find((s) => s.control.timed && s.candidate.timed);
      if (!picked || !known.includes(chosen)) chosen = (measured ?? body.switches[0])?.flag ?? known[0];
      const flag = body.flags.find((f) => f.name === chosen);
      const arms = body.switches.find((s) => s.flag === chosen);
      refill(list, card("Flags", table("One flag a row", [
        ["Flag", (f) => h("button", { type: "button", "data-flag": f.name, "aria-pressed": String(f.name === chosen),
          click: () => { chosen = f.name; picked = true; this.show(body); } }, f.name)],
        ["Mode", (f) => state(f.state === "rolled_back" ? "bad" : "good", f.mode)],
        ["Source", (f) => f.source],
        ["Since", (f) => clock(f.since)],
        ["Reason", (f) => f.reason || "–"],
      ], body.flags, { attributes: (f) => ({ "aria-selected": String(f.name === chosen), "data-row": f.name }) })));
      refill(detail, card(`Arms of ${chosen}`, arms
        ? [h("p", {}, state(VERDICT[arms.verdict], arms.verdict), " ",
            arms.improvement == null ? "no improvement measured yet" : `the candidate's median is ${number(Math.abs(arms.improvement), 1)} % ${arms.improvement >= 0 ? "lower" : "higher"}`),
          table("Both arms", [
            ["Arm", (a) => a.name], ["Calls", (a) => number(a.calls), true], ["Errors", (a) => number(a.errors), true],
            ["p50", (a) => seconds(a.p50), true], ["p95", (a) => seconds(a.p95), true], ["p99", (a) => seconds(a.p99), true],
          ], [arms.control, arms.candidate]),
          arms.shadow ? h("p.quiet", {}, `${number(arms.shadow.compared)} compared, ${number(arms.shadow.mismatches)} mismatches`) : null]
        : h("p.quiet", {}, "no Switch obeys this flag yet")));
      const state_ = `${chosen} ${locked()} ${body.writable}`;
      if (shownControls !== state_) { // not while somebody drags or types
        shownControls = state_;
        controls.replaceChildren(controlsOf(flag, body.writable));
      }
      refill(journal, card("Journal", table("Newest first", [
        ["When", (e) => clock(e.when)], ["Flag", (e) => e.flag], ["Who", (e) => e.who], ["What", (e) => e.what],
        ["From", (e) => e.old], ["To", (e) => e.new], ["Why", (e) => e.why || "–"],
      ], body.journal, { empty: "nothing has been changed" })));
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

function controlsOf(flag, writable) {
  if (!flag) return null;
  const may = writable && !locked();
  const change = (path, body) => api(`flags/${encodeURIComponent(flag.name)}/${path}`, { method: "POST", body });
  const share = h("input", { type: "range", min: 0, max: 100, step: 1, value: 10, disabled: !may, "aria-label": "Share of the candidate in percent" });
  const shown = h("output", {}, "10 %");
  share.addEventListener("input", () => { shown.textContent = `${share.value} %`; });
  const mode = h("select", { disabled: !may, "aria-label": "Mode" }, flag.words.map((word) => h("option", {}, word)));
  const reason = (doing) => ask(`${doing} ${flag.name}`, "The reason goes into the journal.", "Reason", { yes: doing });
  const button = (label, cls, doing) => h(`button${cls}`, { type: "button", disabled: !may, click: doing }, label);
  return card("Change",
    may ? null : h("p.quiet", {}, writable ? "Read-only: unlock with the token to change something." : "Read-only: the service was installed without a token."),
    h("div.controls", {}, mode, button("Set mode", "", async () => {
      const why = await reason("Set");
      if (why !== null) await act(`Set ${flag.name}`, () => change("set", { mode: mode.value, reason: why }));
    })),
    h("div.controls", {}, h("label", {}, "Ramp", share, shown), button("Ramp", "", async () => {
      const why = await reason("Ramp");
      if (why !== null) await act(`Ramp ${flag.name}`, () => change("set", { mode: `ramp:${share.value}`, reason: why }));
    })),
    h("div.controls", {},
      button("Kill switch", ".danger", async () => {
        const why = await reason("Roll back");
        if (why !== null) await act(`Roll back ${flag.name}`, () => change("rollback", { reason: why }));
      }),
      button("Take setting back", "", async () => {
        await act(`Clear ${flag.name}`, () => change("clear", {}));
      }),
      button("Resume", "", async () => {
        await act(`Resume ${flag.name}`, () => change("resume", {}));
      })));
}
