// The service's past: series and marks that the server keeps, for the range of time that is chosen.
import { api } from "./api.js";

export const RANGES = [[300, "5 min"], [900, "15 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];
const KEY = "fastcore-range";
const subjects = new Map(); // what has a past ("" is the service) -> {listeners, newest, asking}
const known = (seconds) => RANGES.some(([one]) => one === seconds);
let range = known(Number(localStorage.getItem(KEY))) ? Number(localStorage.getItem(KEY)) : 900;

export const chosen = () => range;

/** The name of the chosen range, as in "the last 15 min". */
export const rangeName = () => RANGES.find(([seconds]) => seconds === range)[1];

/** The shortest range that reaches back to a moment. */
export const reaching = (at) => (RANGES.find(([seconds]) => Date.now() / 1000 - seconds <= at) ?? RANGES.at(-1))[0];

export function choose(seconds) {
  if (!known(seconds)) return Promise.resolve();
  range = seconds;
  localStorage.setItem(KEY, String(seconds));
  for (const one of subjects.values()) one.newest = null;
  return ask();
}

/** Call `listener` with the past, now if it is known and whenever it was read again; returns what ends that.

`of` is what the past is of, such as `switch/NAME`; without it that of the service.
*/
export function watch(listener, of = "") {
  if (!subjects.has(of)) subjects.set(of, { listeners: new Set(), newest: null, asking: null });
  const one = subjects.get(of);
  one.listeners.add(listener);
  if (one.newest) listener(one.newest);
  else askOf(of, one).catch(() => {}); // the next reading comes soon
  return () => {
    one.listeners.delete(listener);
    if (!one.listeners.size) subjects.delete(of);
  };
}

/** Read the past of all that is watched. */
export const ask = () => Promise.all([...subjects].map(([of, one]) => askOf(of, one)));

function askOf(of, one) {
  const wanted = range;
  one.asking ??= api(`history/${wanted}${of ? `?of=${encodeURIComponent(of)}` : ""}`).then((found) => {
    one.asking = null;
    if (wanted !== range) return askOf(of, one);
    one.newest = found;
    for (const listener of one.listeners) listener(found);
    return found;
  }, (error) => {
    one.asking = null;
    throw error;
  });
  return one.asking;
}

/** How often the past is worth reading, in milliseconds: when a point of a chart has been added. */
export const interval = () => Math.max(2000, (1000 * range) / 360);
