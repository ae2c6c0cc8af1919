// The hub's clients: who they are, what they follow, how far they are behind; one can be disconnected.
import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { confirmed } from "../dialog.js";
import { bytes, card, clock, cut, duration, h, number, state, table } from "../elements.js";
import { refill } from "../patch.js";
import { choose } from "../place.js";
import { search, typed } from "../search.js";

async function disconnect(client) {
  if (!(await confirmed(`Disconnect ${client.address}`, "The client is told not to come back by itself (code 3503).", "Disconnect"))) return;
  await act(`Disconnect ${client.address}`, () => api(`clients/${encodeURIComponent(client.id)}/disconnect`, { method: "POST", body: {} }));
}

export function clientList() {
  const rows = h("div");
  const text = typed(h("input", { id: "client-text", type: "search", maxlength: 200, autocomplete: "off", spellcheck: "false", placeholder: "address, session, user" }), "client", choose);
  const slow = h("input", { id: "client-slow", type: "checkbox", change: () => choose({ slow: slow.checked ? "1" : "" }) });
  const all = h("button", { type: "button", click: () => choose({ topic: "", client: "", slow: "" }) }, "Clear filters");
  const found = search("clients", draw);

  function draw(answer) {
    const able = answer.writable && !locked();
    const list = answer.clients ?? [];
    refill(rows, table("Most bytes queued first, then those that came last", [
      ["Address", (c) => h("span", { title: c.id }, c.address)],
      ["User", (c) => (answer.whole ? c.user || "–" : "needs the token")],
      ["Connected", (c) => `${clock(c.since)} (${duration(Math.max(0, answer.at - c.since))})`],
      ["Follows", (c) => `${c.topics.join(", ") || "nothing"}${c.subscriptions > c.topics.length ? `, … (${number(c.subscriptions)})` : ""}`],
      ["Queued", (c) => (c.slow ? [bytes(c.held), " ", state("warn", "slow")] : "–"), true],
      ["Change", (c) => h("button", { type: "button", disabled: !able, "aria-label": `Disconnect ${c.address} ${c.id.slice(-4)}`,
        click: () => disconnect(c).then(() => { found.stale(); }) }, "Disconnect")],
    ], list, { key: (c) => c.id, empty: answer.failed ?? "no client: new Client(\"/stream\", …) in a page, or fastcore.streaming.Client, connects one" }), cut(list.length, answer.count ?? 0, " clients"));
  }

  return {
    element: card("Clients", h("form.controls", { role: "search", "aria-label": "Filter clients", submit: (event) => event.preventDefault() },
      h("label", { for: "client-text" }, "Search", text), h("label.check", { for: "client-slow" }, slow, "slow ones only"), all), rows),
    show(query) {
      const wanted = { text: query.get("client"), topic: query.get("topic"), slow: query.get("slow") };
      if (document.activeElement !== text) text.value = wanted.text ?? "";
      slow.checked = Boolean(wanted.slow);
      all.disabled = !Object.values(wanted).some(Boolean);
      all.textContent = wanted.topic ? `Clear filters (topic ${wanted.topic})` : "Clear filters";
      found.ask(wanted);
    },
  };
}
