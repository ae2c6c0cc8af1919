// The service's past: series and marks that the server keeps, for the range of time that is chosen.
import { api } from "./api.js";

export const RANGES = [[300, "5 min"], [900, "15 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];
const KEY = "fastcore-range";
const listeners = new Set();
let range = RANGES.some(([seconds]) => seconds === Number(localStorage.getItem(KEY))) ? Number(localStorage.getItem(KEY)) : 900;
let newest = null;
let asking = null;

export const chosen = () => range;

/** The name of the chosen range, as in "the last 15 min". */
export const rangeName = () => RANGES.find(([seconds]) => seconds === range)[1];

export function choose(seconds) {
  range = seconds;
  localStorage.setItem(KEY, String(seconds));
  newest = null;
  return ask();
}

/** Call `listener` with the past, now if it is known and whenever it was read again; returns what ends that. */
export function watch(listener) {
  listeners.add(listener);
  if (newest) listener(newest);
  return () => listeners.delete(listener);
}

/** Read the past. */
export function ask() {
  const wanted = range;
  asking ??= api(`history/${wanted}`).then((found) => {
    asking = null;
    if (wanted !== range) return ask();
    newest = found;
    for (const listener of listeners) listener(found);
    return found;
  }, (error) => {
    asking = null;
    throw error;
  });
  return asking;
}

/** How often the past is worth reading, in milliseconds: when a point of a chart has been added. */
export const interval = () => Math.max(2000, (1000 * range) / 360);
