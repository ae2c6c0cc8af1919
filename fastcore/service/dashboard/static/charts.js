// Charts by plotly.js, which comes from the server's own `plotly` package.
import { h } from "./elements.js";

let loading;

function plotly() {
  loading ??= new Promise((resolve) => {
    const script = h("script", { src: "plotly.min.js", load: () => resolve(window.Plotly), error: () => resolve(null) });
    document.head.append(script);
  });
  return loading;
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A chart with a name that screen readers say; `figures` of it in words stand next to it. */
export function chart(label, { tall = false } = {}) {
  const element = h(tall ? "div.chart.tall" : "div.chart", { role: "img", "aria-label": label });
  return {
    element,
    async draw(traces, layout = {}) {
      const library = await plotly();
      if (!library) {
        element.replaceChildren(h("p.chart-missing", {}, "Charts need plotly: pip install fastcore-native[dashboard]"));
        return;
      }
      if (!element.isConnected) return;
      const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true };
      await library.react(element, traces, {
        margin: { l: 48, r: 12, t: 28, b: 36 },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: colour("text"), size: 12 },
        legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
        hovermode: "x unified",
        hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } },
        ...layout,
        xaxis: { ...axis, ...layout.xaxis },
        yaxis: { ...axis, rangemode: "tozero", ...layout.yaxis },
        ...(layout.yaxis2 ? { yaxis2: { ...axis, ...layout.yaxis2 } } : {}),
      }, { displayModeBar: false, responsive: true });
      element.dataset.drawn = String(Number(element.dataset.drawn ?? 0) + 1);
    },
    /** Give the chart up: its library listens to the window, which would keep it for as long as the page is open. */
    leave() { if (element.on) window.Plotly.purge(element); },
  };
}
