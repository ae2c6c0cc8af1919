// The dashboard's HTTP interface. The token stays in this tab, and is of this dashboard: another may have the same origin.

const KEPT = `fastcore-token ${new URL(".", location.href).pathname}`;

export const token = () => sessionStorage.getItem(KEPT);
export const locked = () => !token();

export function setToken(token) {
  if (token) sessionStorage.setItem(KEPT, token);
  else sessionStorage.removeItem(KEPT);
}

/** Ask `api/<path>`; what the server says is wrong becomes the error's text. */
export async function api(path, { method = "GET", body, token: given = token() } = {}) {
  const headers = { Accept: "application/json" };
  if (given) headers["X-Fastcore-Token"] = given; // Authorization may be that of a proxy in front
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`api/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const found = await answer.json().catch(() => ({}));
  if (answer.status === 401 && given && given === token() && answer.headers.get("WWW-Authenticate")?.includes("fastcore")) {
    setToken("");
    document.dispatchEvent(new Event("locked")); // the service has another token now
  }
  if (!answer.ok) {
    const text = answer.status === 401 && !given ? "this needs the token of the service: press Unlock" : found.detail;
    throw Object.assign(new Error(text ?? `${answer.status} ${answer.statusText}`), { status: answer.status });
  }
  return found;
}
