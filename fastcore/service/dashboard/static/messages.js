// Results of actions, in a corner of the page.
import { h } from "./elements.js";

const SHORTEST = 6000; // milliseconds
const MOST = 5; // at once
const box = document.getElementById("said");
const shown = new Map(); // message -> when it came

/** Show a message: for six seconds, and until the next click or key, so that it is read however late one looks. */
export function say(text) {
  const line = h("p", {}, text);
  shown.set(line, performance.now());
  box.append(line);
  for (const old of [...shown.keys()].slice(0, -MOST)) remove(old);
}

function remove(line) {
  shown.delete(line);
  line.remove();
}

function seen() {
  for (const [line, at] of shown) if (performance.now() - at > SHORTEST) remove(line);
}

for (const event of ["pointerdown", "keydown"]) document.addEventListener(event, seen, true);
