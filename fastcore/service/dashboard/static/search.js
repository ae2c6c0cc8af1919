// Rows that the server searches for: asked again while they are looked at, and at once when what is wanted changes.
import { api } from "./api.js";

/** `show(answer)` is called with each answer. */
export function search(path, show) {
  let asked = null, at = 0, answer = null;
  return {
    /** The newest answer to what was asked last; null before it has come. */
    get answer() { return answer; },
    /** Ask for a query, unless the same was asked less than `every` milliseconds ago. */
    async ask(query, every = 3000) {
      const wanted = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
      if (wanted === asked && performance.now() - at < every) return;
      if (wanted !== asked) answer = null;
      asked = wanted;
      at = performance.now();
      let found;
      try {
        found = await api(`${path}?${wanted}`);
      } catch (error) {
        found = { failed: error.message };
      }
      if (asked !== wanted) return;
      answer = found;
      show(found);
    },
    /** Ask again with the next call: something was changed. */
    stale() { at = -Infinity; },
  };
}

/** A field whose text is part of the address, under `name`. */
export function typed(field, name, choose) {
  let typing = null;
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => choose({ [name]: field.value.trim() }), 400);
  });
  return field;
}
