// The hub's topics: how many messages they had, and how many clients a message would reach.
import { card, cut, h, number, table } from "../elements.js";
import { refill } from "../patch.js";
import { address, choose } from "../place.js";
import { search, typed } from "../search.js";

export function topicList() {
  const rows = h("div");
  const text = typed(h("input", { id: "topic-text", type: "search", maxlength: 200, autocomplete: "off", spellcheck: "false" }), "topics", choose);
  const found = search("topics", draw);

  function draw(answer) {
    const list = answer.topics ?? [];
    refill(rows, table("Most messages first", [
      ["Topic", (t) => h("a", { href: address("streaming", "", { topic: t.name }) }, t.name)],
      ["Messages", (t) => number(t.messages), true], ["Clients", (t) => number(t.clients), true],
    ], list, { key: (t) => t.name, empty: answer.failed ?? "no topic: hub.publish(\"prices.AAPL\", …) makes one" }), cut(list.length, answer.count ?? 0, " topics"));
  }

  return {
    element: card("Topics", h("form.controls", { role: "search", "aria-label": "Filter topics", submit: (event) => event.preventDefault() },
      h("label", { for: "topic-text" }, "Search", text)), rows),
    show(query) {
      if (document.activeElement !== text) text.value = query.get("topics") ?? "";
      found.ask({ text: query.get("topics") });
    },
  };
}
