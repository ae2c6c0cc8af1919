// Charts of the service's past, which share their range, their zoom and their crosshair.
import { chart, colour } from "./charts.js";
import { watch } from "./past.js";

const shown = new Set(); // elements of the timelines on the page
const MARK = { start: "accent", flag: "second", rollback: "bad", alert: "bad", resolved: "good" };
let passing = false; // an event is being passed on

/** A chart of series over time: `lines` are [series, name, colour], with a factor and the name of an axis where they differ;
`layout()` is what else plotly is told. */
export function timeline(label, lines, layout = () => ({})) {
  const plot = chart(label);
  let stop = null;
  function draw(past) {
    if (!plot.element.isConnected) return;
    const x = past.at.map((at) => new Date(1000 * at));
    const traces = lines.map(([series, name, shade, { factor = 1, yaxis = "y" } = {}]) => ({
      name, x, y: (past.series[series] ?? x.map(() => null)).map((value) => (value == null ? null : value * factor)),
      type: "scatter", mode: "lines", yaxis, line: { color: colour(shade), width: 2 }, connectgaps: false,
    }));
    const marks = past.marks.map((mark) => ({ ...mark, x: new Date(1000 * mark.at), shade: colour(MARK[mark.kind] ?? "quiet") }));
    if (marks.length) {
      traces.push({ name: "changes", x: marks.map((m) => m.x), y: marks.map(() => 0), text: marks.map((m) => m.text), type: "scatter", mode: "markers",
        marker: { symbol: "triangle-up", size: 10, color: marks.map((m) => m.shade) }, hovertemplate: "%{text}<extra></extra>", showlegend: false });
    }
    const more = layout();
    plot.draw(traces, { ...more,
      xaxis: { range: [new Date(1000 * Math.max(past.end - past.range, past.at[0] ?? 0)), new Date(1000 * past.end)], uirevision: past.range, type: "date" },
      uirevision: past.range,
      shapes: [...(more.shapes ?? []), ...marks.map((m) => ({ type: "line", yref: "paper", x0: m.x, x1: m.x, y0: 0, y1: 1, line: { color: m.shade, width: 1, dash: "dot" } }))],
    }).then(() => share(plot.element));
  }
  return {
    element: plot.element,
    follow() {
      shown.add(plot.element);
      stop ??= watch(draw);
    },
    leave() {
      shown.delete(plot.element);
      stop?.();
      stop = null;
    },
  };
}

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
    if (from !== undefined) others((other) => window.Plotly.relayout(other, { "xaxis.range": [from, to] }));
    else if (event["xaxis.autorange"]) others((other) => window.Plotly.relayout(other, { "xaxis.autorange": true }));
  });
}
