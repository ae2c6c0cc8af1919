// Shows new figures in the elements that are there already, so that focus, clicks and selected text survive.

const listeners = new WeakMap(); // element -> {event: function}
const AIMING = 1500; // milliseconds after the pointer's last move in which rows with buttons stay under it
const PRESS = 3000; // milliseconds for which a pressed button holds changes back at most: its release may be missed
const pointer = { target: null, at: -Infinity, pressed: -Infinity };
const waiting = new Map(); // element -> children that came while a button of the pointer was down

/** Call `listener` on an event; a later one for the same event takes its place. */
export function listen(element, event, listener) {
  if (!listeners.has(element)) listeners.set(element, {});
  const known = listeners.get(element);
  if (!(event in known)) element.addEventListener(event, (happened) => listeners.get(element)[event]?.(happened));
  known[event] = listener;
}

/** Make an element's children look like these: elements of the same `data-key`, or tag and place, are kept and changed.

Nothing changes while a button of the pointer is down: a click begins and ends on the same element.
*/
export function refill(element, ...children) {
  const made = children.flat(Infinity).filter((child) => child != null && child !== false);
  if (performance.now() - pointer.pressed < PRESS) {
    waiting.set(element, made);
    return;
  }
  waiting.delete(element);
  const focused = document.activeElement;
  const regions = [];
  for (let node = focused; node && node !== element; node = node.parentElement) regions.push(node);
  patchChildren(element, made.map((child) => (child instanceof Node ? child : new Text(String(child)))));
  if (document.activeElement === focused) return;
  const kept = focused.isConnected ? focused : regions.find((node) => node.isConnected && node.matches("[tabindex]"));
  kept?.focus({ preventScroll: true });
}

function patchChildren(element, wanted) {
  const old = [...element.childNodes];
  const keyed = new Map(old.filter(keyOf).map((node) => [keyOf(node), node]));
  const unkeyed = old.filter((node) => !keyOf(node));
  const kept = new Set();
  const result = wanted.map((node) => {
    let found;
    if (node.parentNode === element) found = node; // an element that its page made once
    else if (keyOf(node)) found = keyed.get(keyOf(node));
    else found = unkeyed.find((one) => !kept.has(one) && isLike(one, node));
    if (!found || kept.has(found) || !isLike(found, node)) return node;
    kept.add(found);
    patch(found, node);
    return found;
  });
  if (aimedAt(element)) return; // its rows were changed in place; others come and leave later
  for (const node of old) if (!kept.has(node)) node.remove();
  const selection = document.getSelection();
  const held = [document.activeElement, selection?.anchorNode, selection?.focusNode].filter(Boolean);
  let next = element.firstChild;
  for (const node of result) {
    if (kept.has(node) && held.some((one) => node.contains(one))) {
      while (next !== node) { // the others move around it: one that is moved loses focus and selection
        const passed = next;
        next = next.nextSibling;
        passed.remove();
      }
    }
    if (next === node) next = node.nextSibling;
    else element.insertBefore(node, next);
  }
}

const keyOf = (node) => node.dataset?.key;

const isLike = (one, other) => one === other || (one.nodeType === other.nodeType && one.nodeName === other.nodeName
  && keyOf(one) === keyOf(other) && one.type === other.type);

function patch(old, made) {
  if (old === made) return;
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = listeners.get(old) ?? {};
  const given = listeners.get(made) ?? {};
  for (const event of Object.keys(known)) if (!given[event]) known[event] = null;
  for (const [event, listener] of Object.entries(given)) listen(old, event, listener);
  patchChildren(old, [...made.childNodes]);
}

function aimedAt(element) {
  return element.nodeName === "TBODY" && performance.now() - pointer.at < AIMING
    && element.contains(pointer.target) && element.querySelector("button") !== null;
}

function released() {
  if (pointer.pressed === -Infinity) return;
  pointer.pressed = -Infinity;
  setTimeout(() => { // after the click
    if (pointer.pressed !== -Infinity) return;
    const late = [...waiting];
    waiting.clear();
    for (const [element, children] of late) refill(element, children);
  });
}

function moved(event) {
  pointer.target = event.target;
  pointer.at = performance.now();
  if (!event.buttons) released();
}

document.addEventListener("pointermove", moved, true);
document.addEventListener("pointerdown", () => { pointer.pressed = performance.now(); }, true);
for (const event of ["pointerup", "pointercancel", "dragend"]) document.addEventListener(event, released, true);
window.addEventListener("blur", released);
