// A small line of a series, and how it changed against the time before.
import { h, number } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120, HEIGHT = 28;

/** A line of values from the left to the right; gaps where there is none. */
export function sparkline(values) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  picture.setAttribute("class", "spark");
  picture.setAttribute("aria-hidden", "true"); // the tile says it in words
  const known = values.filter((value) => value != null);
  const top = Math.max(...known, Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  let path = "", drawing = false;
  values.forEach((value, i) => {
    if (value != null) path += `${drawing ? "L" : "M"}${(i * step).toFixed(1)} ${(HEIGHT - 2 - (HEIGHT - 4) * (value / top)).toFixed(1)}`;
    drawing = value != null;
  });
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path || "M0 0");
  picture.append(line);
  return picture;
}

/** The change of a mean against that of the time before, in words; `lower` says that less is better. */
export function change(now, before, { lower = false } = {}) {
  if (now == null || before == null || !before) return null;
  const ratio = now / before - 1;
  if (Math.abs(ratio) < 0.005) return h("small", {}, "as before");
  const better = ratio < 0 === lower;
  const kind = Math.abs(ratio) < 0.05 ? "quiet" : better ? "better" : "worse";
  return h(`small.${kind}`, {}, `${ratio > 0 ? "+" : "−"}${number(Math.abs(100 * ratio), 0)} % against the time before`);
}
