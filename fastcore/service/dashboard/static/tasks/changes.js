// What can be done with tasks; each asks the server, and what cannot be undone asks first.
import { act } from "../dashboard.js";
import { api, locked } from "../api.js";
import { confirmed } from "../dialog.js";
import { h } from "../elements.js";

const post = (path, body = {}) => api(path, { method: "POST", body });

/** Whether this page may change tasks. */
export const may = (body) => body.writable && !locked();

export const retry = (t) => act(`Retry ${t.name}`, () => post(`tasks/${encodeURIComponent(t.id)}/retry`));

export async function cancel(t) {
  if (!(await confirmed(`Cancel ${t.name}`, t.state === "running" ? "It is asked to stop where it is." : "It will not run.", "Cancel the task"))) return;
  await act(`Cancel ${t.name}`, () => post(`tasks/${encodeURIComponent(t.id)}/cancel`));
}

/** Retry or cancel several tasks; returns whether that was done. */
export async function several(what, ids) {
  const title = `${what === "retry" ? "Retry" : "Cancel"} ${ids.length} ${ids.length === 1 ? "task" : "tasks"}`;
  if (what === "cancel" && !(await confirmed(title, "Those that wait will not run; those that run are asked to stop.", title))) return false;
  await act(title, () => post(`tasks/${what}`, { ids }));
  return true;
}

const OF_NAME = { pause: "Pause", resume: "Resume", purge: "Cancel all waiting", "retry-dead": "Retry all dead" };

/** Change all tasks of a name. */
export async function ofName(name, what) {
  const title = `${OF_NAME[what]}: ${name}`;
  if (what === "purge" && !(await confirmed(title, "None of those that wait will run.", OF_NAME[what]))) return;
  await act(title, () => post(`task-names/${encodeURIComponent(name)}/${what}`));
}

export const button = (label, name, disabled, click) => h("button", { type: "button", disabled, "aria-label": `${label} ${name}`, click }, label);
