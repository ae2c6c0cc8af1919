import { breakable, card, cut, h, number, percent, seconds, table, tile } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";
import { timeline } from "../timeline.js";

export const title = "Requests";

const idOf = (row) => `${row.method} ${row.route}`;
let before = null;
let rate = null; // requests a second, of all routes
let rates = {}; // and of each

export function remember(body) {
  const passed = before ? body.at - before.at : 0;
  if (before && passed > 0) {
    const last = Object.fromEntries(before.routes.map((row) => [idOf(row), row.requests]));
    rate = Math.max(0, body.requests - before.requests) / passed;
    rates = Object.fromEntries(body.routes.map((row) => [idOf(row), Math.max(0, row.requests - (last[idOf(row)] ?? 0)) / passed]));
  }
  before = body;
}

export function view() {
  const rateLine = timeline("Requests and errors a second over time", [["requests", "requests a second", "candidate"], ["errors", "errors a second", "bad"]]);
  const timeLine = timeline("Median and 95th percentile of the latency over time", [["p50", "p50", "control", { factor: 1000 }], ["p95", "p95", "candidate", { factor: 1000 }]],
    () => ({ yaxis: { title: { text: "ms" } } }));
  const figures = h("div"), routes = h("div"), which = h("p");
  return {
    element: h("div", {}, figures, which, h("div.columns", {}, card("Requests a second", rateLine.element), card("Latency", timeLine.element)), routes),
    follow() { rateLine.follow(); timeLine.follow(); },
    leave() { rateLine.leave(); timeLine.leave(); },
    /** Show the figures; `wanted` is the route whose past is drawn, as in `GET /prices`. */
    show(body, wanted) {
      for (const one of [rateLine, timeLine]) one.of(wanted ? `route/${wanted}` : "");
      which.hidden = !wanted;
      refill(which, "The charts are of ", h("strong", {}, wanted), ", by ten seconds; the busiest have a past, others from when they are opened. ", h("a", { href: address("requests") }, "Show all routes"));
      refill(figures, h("div.cards", {},
        tile("Rate", rate == null ? "–" : `${number(rate, 1)}/s`, `${number(body.requests)} in all`),
        tile("Errors", number(body.errors), body.requests ? `${percent(body.errors / body.requests)} of all; ${number(body.client_errors)} were the client's (4xx)` : ""),
        tile("p50", seconds(body.p50), "median"),
        tile("p95", seconds(body.p95)),
        tile("p99", seconds(body.p99)),
        tile("In flight", number(body.in_flight))));
      refill(routes, card("By route", table("Most requests first", [
        ["Route", (r) => h("a", { href: address("requests", idOf(r)) }, breakable(idOf(r)))],
        ["Rate", (r) => (rates[idOf(r)] == null ? "–" : `${number(rates[idOf(r)], 1)}/s`), true],
        ["Requests", (r) => number(r.requests), true],
        ["4xx", (r) => number(r.client_errors), true],
        ["5xx", (r) => number(r.errors), true],
        ["p50", (r) => seconds(r.p50), true], ["p95", (r) => seconds(r.p95), true], ["p99", (r) => seconds(r.p99), true],
      ], body.routes, { key: idOf, empty: "no request yet: every request to the service is counted here", attributes: (r) => ({ "aria-selected": String(idOf(r) === wanted) }) }), cut(body.routes.length, body.count, " routes")));
    },
  };
}
