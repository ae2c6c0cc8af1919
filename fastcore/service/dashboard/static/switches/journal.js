// The journal of all flags, with filters that are part of the address.
import { card, clock, cut, h, table } from "../elements.js";
import { refill } from "../patch.js";
import { choose } from "../place.js";
import { search, typed } from "../search.js";

const FIELDS = ["flag", "what", "who", "text"];

export function makeJournal() {
  const option = (value, text = value) => h("option", { value }, text);
  const fields = Object.fromEntries(["flag", "what", "who"].map((name) => [name, h("select", { id: `journal-${name}`, change: pick })]));
  const text = typed(h("input", { id: "journal-text", type: "search", maxlength: 200, autocomplete: "off", spellcheck: "false" }), "text", pick);
  const clear = h("button", { type: "button", click: () => choose(Object.fromEntries(FIELDS.map((name) => [name, ""]))) }, "Clear filters");
  const rows = h("div");
  const searched = search("journal", () => show(...last));
  let last = null;

  function pick() {
    choose({ ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])), text: text.value.trim() });
  }

  function fill(field, name, values, value) {
    const offered = ["", ...new Set([...values, ...(value ? [value] : [])])];
    if (field.options.length !== offered.length || offered.some((one, i) => field.options[i].value !== one)) {
      field.replaceChildren(...offered.map((one) => option(one, one || `any ${name}`)));
    }
    if (document.activeElement !== field) field.value = value ?? "";
  }

  function show(body, query) {
    last = [body, query];
    const given = Object.fromEntries(FIELDS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
    const filtered = Object.keys(given).length > 0;
    if (filtered) searched.ask(given);
    const found = searched.answer;
    const entries = filtered ? found?.journal ?? [] : body.journal;
    const all = (name) => found?.[name] ?? [...new Set(body.journal.map((e) => e[name]))].sort();
    fill(fields.flag, "flag", body.flags.map((f) => f.name), given.flag);
    fill(fields.what, "action", all("what"), given.what);
    fill(fields.who, "person", all("who"), given.who);
    if (document.activeElement !== text) text.value = given.text ?? "";
    clear.disabled = !filtered;
    refill(rows, table("Newest first", [
      ["When", (e) => clock(e.when)], ["Flag", (e) => e.flag], ["Who", (e) => e.who], ["What", (e) => e.what],
      ["From", (e) => e.old], ["To", (e) => e.new], ["Why", (e) => e.why || "–"],
    ], entries, { key: (e) => `${e.when} ${e.flag} ${e.what} ${e.new}`,
      empty: filtered ? (found == null ? "reading…" : found.failed ?? "no entry matches: clear the filters to see all") : "no change yet: what is set above is noted here" }),
    filtered && found ? cut(entries.length, found.count ?? 0) : null);
  }

  return {
    element: card("Journal", h("form.controls", { role: "search", "aria-label": "Filter the journal", submit: (event) => { event.preventDefault(); pick(); } },
      h("label", { for: "journal-flag" }, "Flag", fields.flag), h("label", { for: "journal-what" }, "Action", fields.what),
      h("label", { for: "journal-who" }, "Who", fields.who), h("label", { for: "journal-text" }, "Search", text), clear), rows),
    show,
  };
}
