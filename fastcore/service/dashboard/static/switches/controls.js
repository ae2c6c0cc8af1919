// What may be done with a flag: the modes that are legal now, a kill switch, and the way back.
import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { ask } from "../dialog.js";
import { card, h } from "../elements.js";

const SET = ["set", "everywhere"]; // sources of a setting that can be cleared

/** The controls of the chosen flag: they show the mode in force, and keep a choice until it is set. */
export function makeControls() {
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
      const answers = why ? await ask(`${label} ${name}`, "The reason goes into the journal.", [{ label: "Reason" }], label) : [""];
      if (answers === null || flag.name !== name) return;
      const [reason] = answers;
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
  const setting = h("div.controls", {}, mode, button("Set mode", "", "set", () => ({ mode: mode.value })));
  const ramping = h("div.controls", {}, h("label", {}, "Share", share, told), button("Ramp", "", "set", () => ({ mode: `ramp:${share.value}` })));
  const promote = button("Promote", ".primary", "set", () => ({ mode: flag.words.includes("compiled") ? "compiled" : "candidate" }));
  const kill = button("Kill switch", ".danger", "rollback"), clear = button("Clear setting", "", "clear", null, false);
  const resume = button("Resume", "", "resume", null, false);
  element.append(card("Change", note, held, setting, ramping, h("div.controls", {}, promote, kill, clear, resume)));
  /** Offer what is legal in a state, and nothing else. */
  function offerActions() {
    const back = flag.state === "rolled_back";
    for (const one of [setting, ramping, kill]) one.hidden = back;
    resume.hidden = !back;
    promote.hidden = flag.state !== "trial";
    clear.hidden = back || !SET.includes(flag.source);
  }
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
      offerActions();
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
