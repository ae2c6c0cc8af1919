import { bytes, card, h, number, state, table, tile } from "../elements.js";
import { refill } from "../patch.js";
import { clientList } from "../streaming/clients.js";
import { topicList } from "../streaming/topics.js";
import { timeline } from "../timeline.js";

export const title = "Streaming";

let before = null;
let rates = { published: null, delivered: null, bytes_out: null };

export function remember(body) {
  if (!body.installed) return;
  const passed = before ? body.at - before.at : 0;
  if (passed > 0) {
    rates = Object.fromEntries(Object.keys(rates).map((name) => [name, Math.max(0, body[name] - before[name]) / passed]));
  }
  before = body;
}

export function view() {
  const messages = timeline("Messages a second, published and delivered", [["delivered", "delivered", "candidate"], ["published", "published", "second"]]);
  const clients = timeline("Clients over time", [["clients", "clients", "candidate"]]);
  const figures = h("div"), closed = h("div");
  const clientTable = clientList(), topicTable = topicList();
  const lists = h("div", {}, h("div.columns", {}, card("Messages a second", messages.element), card("Clients over time", clients.element)), clientTable.element, h("div.columns", {}, topicTable.element, closed));
  return {
    element: h("div", {}, figures, lists),
    follow() { messages.follow(); clients.follow(); },
    leave() { messages.leave(); clients.leave(); },
    show(body, wanted, query) {
      if (!body.installed) {
        lists.hidden = true;
        refill(figures, card("Streaming", h("p.quiet", {}, "No hub is installed. ", h("code", {}, "install(app, hub=Hub())"), " serves one at /stream.")));
        return;
      }
      refill(figures, h("div.cards", {},
        tile("Clients", number(body.clients), `${number(body.waiting)} without a token yet`),
        tile("Topics", number(body.topics), `${number(body.subscriptions)} subscriptions`),
        tile("Delivered", rates.delivered == null ? "–" : `${number(rates.delivered, 0)}/s`, `${number(body.delivered)} in all`),
        tile("Sent", rates.bytes_out == null ? "–" : `${bytes(rates.bytes_out)}/s`, `${bytes(body.bytes_out)} in all`),
        tile("Slow", number(body.blocked), `clients; ${bytes(body.backlog_bytes)} held back, ${number(body.conflated)} conflated, ${number(body.dropped)} dropped`),
        tile("Path", state(body.path === "direct" ? "good" : "warn", body.path), body.detail)));
      clientTable.show(query);
      topicTable.show(query);
      refill(closed, card("Closed and refused", table("By code", [
        ["Code", (c) => c.code, true], ["Meaning", (c) => c.meaning], ["Clients", (c) => number(c.count), true],
      ], body.closed, { key: (c) => c.code, empty: "no client was closed" })));
    },
  };
}
