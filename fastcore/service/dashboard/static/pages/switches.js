import { act, ask, go } from "../dashboard.js";
import { api, locked } from "../api.js";
import { chart, colour } from "../charts.js";
import { card, clock, h, number, percent, seconds, state, table } from "../elements.js";
import { address } from "../place.js";
import { refill } from "../patch.js";

export const title = "Switches";

const VERDICT = { pass: "good", fail: "bad", inconclusive: "warn" };
const SOURCE = { rollback: "rolled back by a person", guard: "rolled back by a guard", everywhere: "set for all processes",
  set: "set in this process", override: "set for a block of code", file: "flag file", provider: "flag provider" };
const STATE = { trial: "on trial", promoted: "promoted", rolled_back: "rolled back" };
let chosen = null; // the flag whose arms are shown
let picked = false; // by somebody; before that it is one with both arms measured

export function view() {
  const element = h("div");
  const plot = chart("Latency of both arms: share of calls by latency");
  const list = h("div"), detail = h("div"), journal = h("div");
  const controls = makeControls();
  element.append(list, h("div.columns", {}, h("div", {}, detail, controls.element), card("Latency of both arms", plot.element)), journal);
  return {
    element,
    /** Show the figures; `wanted` is the Switch or the flag that the address names. */
    show(body, wanted) {
      const known = body.flags.map((f) => f.name);
      const named = body.switches.find((s) => s.name === wanted);
      if (wanted && (named || known.includes(wanted))) {
        chosen = known.includes(wanted) ? wanted : named.flag;
        picked = true;
      }
      const measured = body.switches.find((s) => s.control.timed && s.candidate.timed);
      if (!picked || !known.includes(chosen)) chosen = (measured ?? body.switches[0])?.flag ?? known[0];
      const flag = body.flags.find((f) => f.name === chosen);
      const obeying = body.switches.filter((s) => s.flag === chosen);
      const arms = obeying.find((s) => s.name === wanted) ?? obeying[0];
      refill(list, card("Flags", table("One flag per row", [
        ["Flag", (f) => h("button", { type: "button", "data-flag": f.name, "aria-pressed": String(f.name === chosen),
          click: () => go(address("switches", f.name)) }, f.name)],
        ["Mode", (f) => [state(f.state === "rolled_back" ? "bad" : "good", f.mode), STATE[f.state] ? ` ${STATE[f.state]}` : null]],
        ["Source", (f) => SOURCE[f.source] ?? f.source],
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
        : h("p.quiet", {}, "no Switch on this flag yet")), canary(flag?.canary));
      controls.show(flag, body.writable);
      refill(journal, card("Journal", table("Newest first", [
        ["When", (e) => clock(e.when)], ["Flag", (e) => e.flag], ["Who", (e) => e.who], ["What", (e) => e.what],
        ["From", (e) => e.old], ["To", (e) => e.new], ["Why", (e) => e.why || "–"],
      ], body.journal, { key: (e) => `${e.when} ${e.flag} ${e.what} ${e.new}`, empty: "no changes" })));
      draw(plot, arms);
    },
  };
}

/** The step of a canary, and what it waits for. */
function canary(found) {
  if (!found) return null;
  const share = (wait) => Math.min(1, wait.have / wait.need);
  return card("Canary", h("p", {}, found.steps.map((step) => [state(step === found.percent ? "good" : "quiet", step ? `${number(step)} %` : "shadow"), " "]),
    found.paused ? state("warn", "paused: it cannot tell") : null),
    table("What the step waits for", [
      ["Condition", (w) => w.what],
      ["Progress", (w) => [h("meter", { min: 0, max: 1, value: share(w), "aria-label": w.what }), ` ${percent(share(w), 0)}`]],
      ["Now", (w) => number(w.have, w.need === 1 ? 2 : 0), true], ["Needed", (w) => number(w.need, 0), true],
    ], found.waits, { key: (w) => w.what }));
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

/** The controls of the chosen flag: they show the mode in force, and keep a choice until it is set. */
function makeControls() {
  const element = h("div");
  let flag = null, may = false, shown = null;
  let touched = false; // a choice that is not set yet
  let restarting = true;
  const mode = h("select", { "aria-label": "Mode", change: () => { touched = true; } });
  const share = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Share in percent" });
  const told = h("output");
  const note = h("p.quiet"), held = h("p", { role: "note" });
  share.addEventListener("input", () => { touched = true; offer(mode.selectedIndex); });
  const change = (path, body) => api(`flags/${encodeURIComponent(flag.name)}/${path}`, { method: "POST", body });
  const buttons = [];
  function button(label, cls, path, body, why = true) {
    const made = h(`button${cls}`, { type: "button", click: async () => {
      const name = flag.name, given = body?.() ?? {};
      const reason = why ? await ask(`${label} ${name}`, "The reason goes into the journal.", "Reason", { yes: label }) : "";
      if (reason === null || flag.name !== name) return;
      await act(`${label} ${name}`, () => change(path, why ? { ...given, reason } : given));
      touched = false;
      fill();
    } }, label);
    buttons.push(made);
    return made;
  }
  /** List the modes that may be set, those with a share at the slider's. */
  function offer(index) {
    told.textContent = `${share.value} %`;
    const canary = flag.mode.startsWith("canary") ? flag.mode : "canary";
    const offered = [...flag.words, `ramp:${share.value}`, ...(flag.trials ? [`shadow:${share.value}`, canary] : [])];
    mode.replaceChildren(...offered.map((word) => h("option", { value: word }, word)));
    mode.selectedIndex = index;
  }
  function fill() {
    const [word, inForce] = flag.mode.split(":");
    const known = inForce ?? (restarting ? "10" : share.value);
    share.step = Number.isInteger(Number(known)) ? "1" : "any";
    share.value = known;
    const words = [...flag.words, "ramp", "shadow", "canary"];
    offer(words.indexOf(word));
    restarting = false;
  }
  element.append(card("Change", note, held,
    h("div.controls", {}, mode, button("Set mode", "", "set", () => ({ mode: mode.value }))),
    h("div.controls", {}, h("label", {}, "Share", share, told), button("Ramp", "", "set", () => ({ mode: `ramp:${share.value}` }))),
    h("div.controls", {},
      button("Kill switch", ".danger", "rollback"),
      button("Clear setting", "", "clear", null, false),
      button("Resume", "", "resume", null, false))));
  return {
    element,
    show(given, writable) {
      element.hidden = !given;
      if (!given) return;
      restarting = flag?.name !== given.name;
      if (restarting) touched = false;
      flag = given;
      may = writable && !locked();
      note.textContent = may ? "" : writable ? "Read-only: unlock with the token to change something." : "Read-only: the service was installed without a token.";
      note.hidden = may;
      held.hidden = flag.state !== "rolled_back";
      held.textContent = held.hidden ? "" : "Rolled back: settings have no effect until the rollback is ended.";
      for (const one of [mode, share, ...buttons]) one.disabled = !may;
      const now = `${flag.name} ${flag.mode} ${flag.state}`;
      if (shown !== now && !touched) {
        fill();
        shown = now;
      }
    },
  };
}
