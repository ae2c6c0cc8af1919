// Where one is: the part of the address after #, as `page/thing?name=value`. A copied address shows the same again.

/** What an address names: a page, one thing on it, and what else is chosen there. */
export function read(hash = location.hash) {
  const [path, query = ""] = split(hash.replace(/^#/, ""));
  const [name = "", ...rest] = path.split("/").filter(Boolean);
  return { name, what: decoded(rest.join("/")), query: new URLSearchParams(query) };
}

/** The address of a page, of one thing on it, and of what else is chosen there. */
export function address(name, what, query) {
  const chosen = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value)).toString();
  return `#${name}${what ? `/${encodeURIComponent(what)}` : ""}${chosen ? `?${chosen}` : ""}`;
}

/** Change what is chosen on this page, without a step back to what was. */
export function choose(changes) {
  const { name, what, query } = read();
  for (const [key, value] of Object.entries(changes)) {
    if (value == null || value === "") query.delete(key);
    else query.set(key, value);
  }
  const wanted = address(name, what, Object.fromEntries(query));
  if (wanted === location.hash) return;
  history.replaceState(null, "", wanted);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
