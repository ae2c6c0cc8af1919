// Charts of the service's past, which share their range, their zoom and their crosshair.
import { chart, colour } from "./charts.js";
import { watch } from "./past.js";
import { choose, read } from "./place.js";

const shown = new Set(); // elements of the timelines on the page
const MARK = { start: "accent", deploy: "third", flag: "second", rollback: "bad", alert: "bad", resolved: "good" };
const FEW = 60; // points below which each is marked: one without neighbours would not be seen
let passing = false; // an event is being passed on

/** A chart of series over time: `lines` are [series, name, colour], with a factor, an axis, a dash and a fill where they differ;
`layout()` is what else plotly is told, `of` what the series are of. */
export function timeline(label, lines, layout = () => ({}), of = "") {
  const plot = chart(label);
  let stop = null, following = false;
  function draw(past) {
    if (!plot.element.isConnected) return;
    const x = past.at.map((at) => new Date(1000 * at));
    const traces = lines.map(([series, name, shade, { factor = 1, yaxis = "y", dash, fill, width = 2 } = {}]) => ({
      name, x, y: (past.series[series] ?? x.map(() => null)).map((value) => (value == null ? null : value * factor)),
      type: "scatter", mode: x.length < FEW ? "lines+markers" : "lines", marker: { size: 4 }, yaxis, line: { color: colour(shade), width, dash }, connectgaps: false,
      ...(fill ? { fill, fillcolor: `${colour(shade)}1f` } : {}),
    }));
    const marks = past.marks.map((mark) => ({ ...mark, x: new Date(1000 * mark.at), shade: colour(MARK[mark.kind] ?? "quiet") }));
    if (marks.length) {
      traces.push({ name: "changes", x: marks.map((m) => m.x), y: marks.map(() => 0), text: marks.map((m) => plainText(m.text)), type: "scatter", mode: "markers",
        marker: { symbol: "triangle-up", size: 10, color: marks.map((m) => m.shade) }, hovertemplate: "%{text}<extra></extra>", showlegend: false });
    }
    const more = layout(), zoom = zoomed();
    plot.draw(traces, { ...more,
      xaxis: { range: zoom ?? [new Date(1000 * Math.max(past.end - past.range, past.at[0] ?? 0)), new Date(1000 * past.end)], uirevision: `${past.range} ${zoom}`, type: "date" },
      uirevision: past.range,
      shapes: [...(more.shapes ?? []), ...marks.map((m) => ({ type: "line", yref: "paper", x0: m.x, x1: m.x, y0: 0, y1: 1, line: { color: m.shade, width: 1, dash: "dot" } }))],
    }).then(() => share(plot.element));
  }
  return {
    element: plot.element,
    follow() {
      following = true;
      shown.add(plot.element);
      stop ??= watch(draw, of);
    },
    /** Show the series of something else. */
    of(other) {
      if (other === of) return;
      of = other;
      stop?.();
      stop = following ? watch(draw, of) : null;
    },
    leave() {
      following = false;
      shown.delete(plot.element);
      stop?.();
      stop = null;
      plot.leave();
      delete plot.element.dataset.shared;
    },
  };
}

/** The part of time that the address names. */
function zoomed() {
  const { query } = read();
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  return from > 0 && to > from ? [new Date(1000 * from), new Date(1000 * to)] : null;
}

/** Text for plotly, which would read some of it as markup. */
const plainText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

const seconds = (text) => Math.round(new Date(text).getTime() / 1000);

/** Have a chart's pointer and zoom shown on the others. */
function share(element) {
  if (element.dataset.shared || !element.on) return;
  element.dataset.shared = "true";
  const others = (tell) => {
    if (passing) return;
    passing = true;
    for (const other of shown) if (other !== element && other.isConnected && other.on) tell(other);
    passing = false;
  };
  element.on("plotly_hover", (event) => others((other) => window.Plotly.Fx.hover(other, { xval: event.xvals[0] })));
  element.on("plotly_unhover", () => others((other) => window.Plotly.Fx.unhover(other)));
  element.on("plotly_relayout", (event) => {
    const [from, to] = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
    if (passing) return;
    if (from !== undefined) {
      choose({ from: seconds(from), to: seconds(to) });
      others((other) => window.Plotly.relayout(other, { "xaxis.range": [from, to] }));
    } else if (event["xaxis.autorange"]) {
      choose({ from: "", to: "" });
      others((other) => window.Plotly.relayout(other, { "xaxis.autorange": true }));
    }
  });
}
