// The dashboard: pages of figures that the server publishes once a second, and the few things that may be changed.
import { Client } from "./client.js";
import { api, locked, setToken, token } from "./api.js";
import { ask } from "./dialog.js";
import { card, clock, duration, h } from "./elements.js";
import { say } from "./messages.js";
import { address, choose, read } from "./place.js";
import { readKeys } from "./keyboard.js";
import * as past from "./past.js";
import * as overview from "./pages/overview.js";
import * as requests from "./pages/requests.js";
import * as alerts from "./pages/alerts.js";
import * as switches from "./pages/switches.js";
import * as tasks from "./pages/tasks.js";
import * as caches from "./pages/caches.js";
import * as memory from "./pages/memory.js";
import * as streaming from "./pages/streaming.js";
import * as prices from "./pages/prices.js";

const PAGES = { overview, requests, alerts, switches, tasks, caches, memory, streaming, prices };
const ALWAYS = ["overview"]; // the others are read only while they are looked at
const $ = (id) => document.getElementById(id);
const newest = {}; // section -> what the server said of it last
const came = {}; // section -> when that came, by this page's own clock
const LATE = 1500; // milliseconds beyond the time between two readings from which figures are old
let current = null; // {name, view}
let refused = false; // the service shows nothing to this page
const client = new Client(new URL("stream", location.href.split("#")[0]), { topics: ALWAYS.map((name) => `dashboard.${name}`), newest: true, token });

/** Do what changes something; say what came of it. */
export async function act(what, doing) {
  try {
    const done = await doing();
    say(done?.note ? `${what}: ${done.note}` : `${what}: done`);
    await refresh();
  } catch (error) {
    say(`${what}: ${error.message}`);
  }
}

async function refresh() {
  const found = await api("snapshot");
  for (const [section, body] of Object.entries(found)) receive(section, body);
}

function receive(section, body) {
  const behind = (newest[section]?.at ?? 0) - body.at;
  if (behind > 0 && behind < 10) return; // the stream's newest may be older than what was just asked for; or a clock was set
  newest[section] = body;
  came[section] = performance.now();
  if (section === "overview") {
    nameTab();
    $("about").textContent = `${body.version} · Python ${body.python} · process ${body.pid}`;
  }
  PAGES[section]?.remember?.(body);
  if (current?.name === section) current.view.show(body, current.wanted, current.query);
  showAge();
}

/** Show the time of this page's figures; where they are old, dim them and show their age. */
function showAge() {
  const section = refused ? null : newest[current?.name];
  if (!section) return;
  const age = performance.now() - came[current.name];
  const old = age > 1000 * (section.every ?? 1) + LATE;
  $("age").textContent = old ? `${duration(age / 1000)} ago` : `as of ${clock(section.at)}`;
  $("page").classList.toggle("old", old);
  showLink(old);
}

/** Name the tab: how many problems there are, and the page. */
function nameTab() {
  const problems = newest.overview?.wrong.length;
  if (current) document.title = `${problems ? `(${problems}) ` : ""}${PAGES[current.name].title} – fastcore`;
}

let reading = null; // the timer of the past
let readings = 0; // an older one is not repeated

/** Read the past now and then: more often the shorter the range is, and not while the page is hidden. */
function followPast() {
  clearTimeout(reading);
  if (document.hidden || refused) return;
  const mine = ++readings;
  past.ask().catch(() => {}).finally(() => { if (mine === readings) reading = setTimeout(followPast, past.interval()); });
}

function close() {
  current?.stop();
  current?.view.leave?.();
}

/** Open what the address names: `#page`, or `#page/what` for one thing on it. */
function open() {
  const { name: named, what: wanted, query } = read();
  const name = named || "overview";
  if (!Object.hasOwn(PAGES, name)) {
    if (!current) location.hash = "overview";
    return;
  }
  chooseRange(query);
  $("unzoom").hidden = !(Number(query.get("from")) && Number(query.get("to")));
  if (current?.name === name) {
    Object.assign(current, { wanted, query });
    if (newest[name]) current.view.show(newest[name], wanted, query);
    return;
  }
  close();
  const view = PAGES[name].view();
  const stop = ALWAYS.includes(name) ? () => {} : follow(`dashboard.${name}`, () => {});
  current = { name, view, stop, wanted, query };
  nameTab();
  $("arrived").textContent = PAGES[name].title;
  $("page").replaceChildren(h("h2", {}, PAGES[name].title), view.element);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === address(name)) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the pages are a row that scrolls
    } else link.removeAttribute("aria-current");
  }
  if (newest[name]) view.show(newest[name], wanted, query);
  view.follow?.();
  showAge();
  if (refused) askForToken();
}

/** Take the range of time from the address, where it names one. */
function chooseRange(query) {
  const named = Number(query.get("range")) || (Number(query.get("from")) ? past.reaching(Number(query.get("from"))) : 0);
  if (!named || named === past.chosen()) return;
  past.choose(named).catch((error) => say(error.message));
  $("range").value = String(past.chosen());
}

/** Go to a page, or to one thing on it: a reload and the way back show it again. */
export function go(where) {
  location.hash = where;
  open(); // now, not with the event that follows
}

function redraw() {
  const name = current?.name;
  close();
  current = null;
  if (name) open();
}

function theme(chosen) {
  document.documentElement.dataset.theme = chosen;
  $("theme").setAttribute("aria-pressed", String(chosen === "dark"));
  redraw();
}

async function unlock() {
  if (!locked()) {
    setToken("");
  } else {
    const answers = await ask("Unlock", "Changes, and reading where the service says so, need the token that it was started with.",
      [{ label: "Token", secret: true }], "Unlock");
    if (answers === null) return;
    const [given] = answers;
    try {
      await api("whoami", { method: "POST", body: {}, token: given });
      setToken(given);
    } catch (error) {
      say(`Unlock: ${error.status === 401 ? "this is not the token of the service" : error.message}`);
      return;
    }
  }
  location.reload(); // the stream may ask for it as well
}

let link = ["warn", "connecting"]; // what is known of the connection

function connection(kind, text) {
  link = [kind, text];
  showAge();
  showLink($("page").classList.contains("old"));
}

function showLink(old) {
  const [kind, text] = old && link[1] === "live" ? ["warn", "no new figures"] : link;
  const element = $("link");
  if (element.textContent === text) return;
  element.className = `state state-${kind}`;
  element.textContent = text;
}

/** Follow a topic of the dashboard's stream; returns what ends that. */
export function follow(topic, listener) {
  const stop = client.on("message", (message) => message.topic === topic && listener(message.data));
  client.subscribe(topic, { newest: true }).catch((error) => say(error.message));
  return () => {
    stop();
    client.unsubscribe(topic).catch(() => {});
  };
}

function connect() {
  client.on("connected", () => connection("good", "live"));
  client.on("disconnected", (event) => connection(event.delay === null ? "bad" : "warn", event.delay === null ? "disconnected" : "reconnecting"));
  client.on("message", (message) => {
    const section = message.topic.slice("dashboard.".length);
    if (Object.hasOwn(PAGES, section)) receive(section, message.data);
  });
  client.start();
  setInterval(() => { if (!refused && $("link").textContent !== "live") refresh().catch((error) => { if (error.status === 401) askForToken(); }); }, 5000); // no room on the stream
}

async function start() {
  try {
    await refresh();
  } catch (error) {
    if (error.status === 401) return askForToken();
    say(error.message);
  }
  connect();
  followPast();
}

/** The service shows nothing without its token. */
function askForToken() {
  refused = true;
  client.close();
  $("age").textContent = "";
  $("page").classList.remove("old");
  connection("warn", "locked: press Unlock");
  $("page").replaceChildren(card("Locked", h("p", {}, "This service shows its figures to those who have its token: that of ", h("code", {}, "install(token=…)"), " or ", h("code", {}, "FASTCORE_ADMIN_TOKEN"), "."),
    h("button.primary", { type: "button", click: unlock }, "Unlock…")));
}

for (const [name, page] of Object.entries(PAGES)) {
  $("pages").append(h("li", {}, h("a", { href: address(name) }, page.title)));
}
const kept = localStorage.getItem("fastcore-theme");
$("theme").addEventListener("click", () => {
  const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("fastcore-theme", other);
  theme(other);
});
$("range").append(...past.RANGES.map(([seconds, name]) => h("option", { value: seconds, selected: seconds === past.chosen() }, name)));
$("range").addEventListener("change", () => {
  past.choose(Number($("range").value)).catch((error) => say(error.message));
  choose({ range: $("range").value, from: "", to: "" }); // in the address: a copied one shows the same
  followPast();
});
$("unzoom").addEventListener("click", () => {
  choose({ from: "", to: "" });
  followPast(); // draws the whole range again
});
$("token").addEventListener("click", unlock);
document.addEventListener("locked", () => {
  $("token").textContent = "Unlock";
  say("The token is not that of the service any more: press Unlock.");
});
window.addEventListener("storage", (event) => { if (event.key === "fastcore-theme" && event.newValue) theme(event.newValue); }); // chosen in another tab
document.querySelector("a.skip").addEventListener("click", (event) => { // it names no page
  event.preventDefault();
  $("page").focus();
});
window.addEventListener("hashchange", open);
document.addEventListener("visibilitychange", followPast);
readKeys(Object.fromEntries(Object.entries(PAGES).map(([name, page]) => [name, page.title])), go);
setInterval(showAge, 500);
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => { if (!localStorage.getItem("fastcore-theme")) theme(dark.matches ? "dark" : "light"); });
theme(kept ?? (dark.matches ? "dark" : "light"));
$("token").textContent = locked() ? "Unlock" : "Lock";
open();
start();
