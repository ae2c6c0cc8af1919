import { api } from "../api.js";
import { follow, go } from "../dashboard.js";
import { chart, colour } from "../charts.js";
import { card, h, number, table } from "../elements.js";
import { refill } from "../patch.js";
import { address } from "../place.js";

export const title = "Prices";

const LATE = 3000; // milliseconds without a line from the stream after which one is asked for
let chosen = null;

/** A symbol as one word of a topic, as `topic_word` in Python writes it. */
const topicWord = (symbol) => symbol.replace(/[%.*>]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function view() {
  const plot = chart("Price with moving average and bands, and the relative strength index below", { tall: true });
  const choice = h("select", { id: "symbol", change: () => go(address("prices", choice.value)) });
  const empty = h("div"), list = h("div"), unknown = h("p", { role: "note" });
  const main = h("div", {}, h("div.controls", {}, h("label", { for: "symbol" }, "Symbol", choice)), unknown, card("Price and indicators", plot.element), list);
  let followed = null, stop = null;
  let came = -Infinity; // when the followed line did
  /** Show the prices; `wanted` is the symbol that the address names. */
  function show(body, wanted) {
    const symbols = body.symbols.map((s) => s.symbol);
    main.hidden = !symbols.length;
    empty.replaceChildren(symbols.length ? "" : card("Prices", h("p.quiet", {}, "No prices were published yet on the topics that the dashboard follows: ", h("code", {}, body.pattern))));
    if (!symbols.length) return;
    if (symbols.includes(wanted)) chosen = wanted;
    else if (!symbols.includes(chosen)) chosen = symbols[0];
    unknown.hidden = !wanted || wanted === chosen;
    unknown.textContent = `No prices of ${wanted} were published; these are those of ${chosen}.`;
    if (choice.options.length !== symbols.length || [...choice.options].some((o, i) => o.value !== symbols[i])) {
      choice.replaceChildren(...symbols.map((s) => h("option", { value: s }, s)));
    }
    choice.value = chosen;
    refill(list, card("Newest values", table("One symbol per row", [
      ["Symbol", (s) => h("a", { href: address("prices", s.symbol) }, s.symbol)], ["Price", (s) => number(s.price, 2), true],
      ...body.indicators.map((name) => [name, (s) => number(s.values[name], 2), true]),
    ], body.symbols, { key: (s) => s.symbol, attributes: (s) => ({ "data-symbol": s.symbol, "aria-selected": String(s.symbol === chosen) }) })));
    if (followed !== chosen) {
      stop?.();
      const symbol = followed = chosen;
      came = -Infinity;
      stop = follow(`dashboard.lines.${topicWord(symbol)}`, (line) => followed === symbol && draw(line));
    }
    if (performance.now() - came > LATE) ask(chosen); // at first, and where the stream has no room
  }
  function ask(symbol) {
    api(`lines/${encodeURIComponent(symbol)}`).then((line) => followed === symbol && line.at && draw(line)).catch(() => {});
  }
  function draw(line) {
    came = performance.now();
    const x = line.at.map((t) => new Date(1000 * t));
    const over = (name, from, colourName, more = {}) => ({ name, x, y: line[from], type: "scatter", mode: "lines", line: { color: colour(colourName), width: 1.5, ...more }, connectgaps: false });
    plot.draw([
      over("upper band", "bb_upper", "second", { width: 1 }),
      { ...over("lower band", "bb_lower", "second", { width: 1 }), fill: "tonexty", fillcolor: "rgba(130,80,223,0.10)" },
      over("average", "sma", "third"),
      over("price", "price", "candidate", { width: 2.5 }),
      { ...over("RSI", "rsi", "control"), yaxis: "y2" },
    ], {
      yaxis: { domain: [0.32, 1], rangemode: "normal" },
      yaxis2: { domain: [0, 0.24], range: [0, 100], tickvals: [30, 50, 70], title: { text: "RSI" } },
      shapes: [30, 70].map((at) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y2", y0: at, y1: at, line: { color: colour("line"), dash: "dot", width: 1 } })),
    });
  }
  return { element: h("div", {}, empty, main), show, leave() { stop?.(); plot.leave(); } };
}
