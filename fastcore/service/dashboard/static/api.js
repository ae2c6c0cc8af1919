// The dashboard's HTTP interface. The token stays in this tab.

export const token = () => sessionStorage.getItem("fastcore-token");
export const locked = () => !token();

export function setToken(token) {
  if (token) sessionStorage.setItem("fastcore-token", token);
  else sessionStorage.removeItem("fastcore-token");
}

/** Ask `api/<path>`; what the server says is wrong becomes the error's text. */
export async function api(path, { method = "GET", body, token: given = token() } = {}) {
  const headers = { Accept: "application/json" };
  if (given) headers.Authorization = `Bearer ${given}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`api/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const text = answer.status === 401 && !given ? "this needs the token of the service: press Unlock" : found.detail;
    throw Object.assign(new Error(text ?? `${answer.status} ${answer.statusText}`), { status: answer.status });
  }
  return found;
}
