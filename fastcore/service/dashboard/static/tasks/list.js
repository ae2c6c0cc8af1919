// Tasks by state, name and text, with what can be done to several of them at once.
import { card, clock, h, number, seconds, table } from "../elements.js";
import { refill } from "../patch.js";
import { address, choose } from "../place.js";
import { search, typed } from "../search.js";
import { badge, progress, STATES } from "./words.js";
import { button, cancel, may, retry, several } from "./changes.js";

const FIELDS = ["state", "name", "text", "group", "before"];
const AGAIN = 2000; // milliseconds between two searches of the same; more where all tasks are looked through

export function taskList() {
  const selected = new Set();
  const form = makeForm();
  const head = h("div.controls", { "data-key": "bulk" }), rows = h("div");
  const element = card("Tasks", form.element, head, rows);
  const found = search("tasks", () => draw(...last));
  let last = null;

  function draw(body, query) {
    last = [body, query];
    const given = Object.fromEntries(FIELDS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
    const filtered = Object.keys(given).length > 0;
    if (filtered) found.ask(given, given.text ? 5 * AGAIN : AGAIN);
    const shown = filtered ? found.answer : { tasks: body.tasks, next: body.tasks.length >= 50 ? body.tasks.at(-1)?.id : null };
    form.show(body, given);
    const tasks = shown?.tasks ?? [];
    for (const id of selected) if (!tasks.some((t) => t.id === id)) selected.delete(id);
    const able = may(body);
    bulk(tasks, able);
    refill(rows, table(filtered ? "Those that match, newest first" : "Newest first", columns(tasks, able), tasks, { key: (t) => t.id,
      empty: shown == null ? "searching…" : shown.failed ?? (filtered ? "no task matches: clear the filters to see all" : "no task yet: queue.submit(task, …) adds one") }),
    h("p.controls", { "data-key": "pages" },
      given.before ? h("a", { href: address("tasks", "", { ...given, before: "" }) }, "Newest") : null,
      shown?.next ? h("a", { href: address("tasks", "", { ...given, before: shown.next }) }, "Older") : null,
      given.text && shown?.searched ? h("span.quiet", {}, `${number(shown.searched)} tasks looked through`) : null));
    for (const box of rows.querySelectorAll("input[data-id]")) box.checked = selected.has(box.dataset.id);
    const all = rows.querySelector("input[data-all]");
    if (all) all.checked = tasks.length > 0 && selected.size === tasks.length;
  }

  function bulk(tasks, able) {
    const chosen = tasks.filter((t) => selected.has(t.id));
    const one = (what, label, fits) => {
      const ids = chosen.filter(fits).map((t) => t.id);
      return h("button", { type: "button", disabled: !able || !ids.length, click: async () => {
        if (!(await several(what, ids))) return;
        for (const id of ids) selected.delete(id); // only these: others may have been selected meanwhile
        found.stale();
        draw(...last);
      } }, ids.length ? `${label} ${ids.length}` : label);
    };
    refill(head, one("retry", "Retry selected", (t) => t.retryable), one("cancel", "Cancel selected", (t) => t.cancellable),
      h("span.quiet", { role: "status" }, chosen.length ? `${chosen.length} selected` : able ? "" : "Read-only: unlock with the token to retry or cancel."));
  }

  function columns(tasks, able) {
    const toggle = (ids, on) => {
      for (const id of ids) if (on) selected.add(id); else selected.delete(id);
      draw(...last);
    };
    return [
      [h("input", { type: "checkbox", "data-all": true, "aria-label": "Select all tasks shown", change: (event) => toggle(tasks.map((t) => t.id), event.target.checked) }),
        (t) => h("input", { type: "checkbox", "data-id": t.id, "aria-label": `Select ${t.name} ${t.id.slice(-6)}`, change: (event) => toggle([t.id], event.target.checked) }), "pick"],
      ["Task", (t) => h("a", { href: address("tasks", t.id), title: t.id }, t.name)],
      ["State", badge],
      ["Change", (t) => (t.retryable ? button("Retry", t.name, !able, () => retry(t)) : t.cancellable ? button("Cancel", t.name, !able, () => cancel(t)) : "–")],
      ["Priority", (t) => number(t.priority), true],
      ["Attempt", (t) => number(t.attempt), true],
      ["Progress", progress],
      ["Submitted", (t) => clock(t.queued)],
      ["Took", (t) => seconds(t.took), true],
      ["Error", (t) => (t.error ? h("span.brief", { title: t.error }, t.error) : "–"), "long"],
    ];
  }

  return { element, show: draw };
}

/** Fields that choose tasks; what is chosen is in the address. */
function makeForm() {
  const option = (value, text = value) => h("option", { value }, text);
  const state = h("select", { id: "task-state", change: () => pick() }, option("", "any state"), STATES.map((name) => option(name)));
  const name = h("select", { id: "task-name", change: () => pick() });
  const text = typed(h("input", { id: "task-text", type: "search", maxlength: 200, placeholder: "id, error, note, key", autocomplete: "off", spellcheck: "false" }), "text", () => pick());
  const clear = h("button", { type: "button", click: () => choose(Object.fromEntries(FIELDS.map((field) => [field, ""]))) }, "Clear filters");
  const pick = () => choose({ state: state.value, name: name.value, text: text.value.trim(), before: "" });
  const element = h("form.controls", { role: "search", "aria-label": "Filter tasks", submit: (event) => { event.preventDefault(); pick(); } },
    h("label", { for: "task-state" }, "State", state), h("label", { for: "task-name" }, "Name", name), h("label", { for: "task-text" }, "Search", text), clear);
  return {
    element,
    show(body, given) {
      const names = body.kinds.map((kind) => kind.name);
      if (given.name && !names.includes(given.name)) names.push(given.name);
      const offered = ["", ...names];
      if (name.options.length !== offered.length || offered.some((one, i) => name.options[i].value !== one)) {
        name.replaceChildren(...offered.map((one) => option(one, one || "any name")));
      }
      if (document.activeElement !== state) state.value = given.state ?? "";
      if (document.activeElement !== name) name.value = given.name ?? "";
      if (document.activeElement !== text) text.value = given.text ?? "";
      clear.disabled = !Object.keys(given).length;
      if (given.group) text.title = `of the group ${given.group}`;
    },
  };
}
