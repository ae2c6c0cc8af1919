// Keys that lead somewhere: g and a letter to a page, / to the filters, ? to this list. They can be switched off.
import { h } from "./elements.js";

const KEPT = "fastcore-keys";
const LETTERS = { overview: "o", requests: "r", alerts: "a", switches: "s", tasks: "t", caches: "c", memory: "m", streaming: "h", prices: "p" };
const SOON = 1500; // milliseconds in which the second key has to follow

/** Read keys; `pages` are names and titles, `go` leads to one. */
export function readKeys(pages, go) {
  const dialog = document.getElementById("keys"), on = document.getElementById("keys-on");
  let began = -Infinity; // when g was pressed
  on.checked = localStorage.getItem(KEPT) !== "off";
  on.addEventListener("change", () => localStorage.setItem(KEPT, on.checked ? "on" : "off"));
  document.getElementById("keys-list").append(...[...Object.entries(pages).map(([name, title]) => [`g ${LETTERS[name]}`, title]), ["/", "filters of the page"], ["?", "this list"]]
    .map(([keys, what]) => h("div", {}, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what))));
  document.getElementById("help").addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur(); // the next key is one of these again
      return;
    }
    const page = performance.now() - began < SOON ? Object.keys(pages).find((name) => LETTERS[name] === event.key) : null;
    began = event.key === "g" ? performance.now() : -Infinity;
    if (page) go(`#${page}`);
    else if (event.key === "?") dialog.showModal();
    else if (event.key === "/") document.querySelector("main [role=search] :is(input, select)")?.focus();
    else return;
    event.preventDefault();
  });
}

const isTyping = (element) => element.matches?.("input:not([type=checkbox], [type=range]), select, textarea");
