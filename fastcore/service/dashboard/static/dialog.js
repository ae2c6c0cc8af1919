// Questions in a dialog: fields of text, or only whether to go on.
import { h } from "./elements.js";

const $ = (id) => document.getElementById(id);
let asked = 0; // questions so far

/** Ask for the texts of fields, `{label, value, secret, required}`; null when that is cancelled. */
export function ask(title, text, fields, yes = "Go on") {
  const dialog = $("ask");
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  const inputs = fields.map(({ value = "", secret = false, required = true }, i) =>
    h("input", { id: `ask-${i}`, type: secret ? "password" : "text", value, required, autocomplete: "off", spellcheck: "false" }));
  $("ask-fields").replaceChildren(...fields.flatMap(({ label }, i) => [h("label", { for: `ask-${i}` }, label), inputs[i]]));
  dialog.returnValue = "cancel";
  dialog.showModal();
  (inputs[0] ?? $("ask-yes")).focus();
  inputs[0]?.select();
  return new Promise((resolve) => {
    const mine = ++asked;
    const closed = () => {
      if (dialog.open && mine === asked) return; // the event of an earlier question, which comes after its dialog has closed
      dialog.removeEventListener("close", closed);
      resolve(mine === asked && dialog.returnValue === "yes" ? inputs.map((input) => input.value.trim()) : null);
    };
    dialog.addEventListener("close", closed);
  });
}

/** Ask whether to go on. */
export const confirmed = async (title, text, yes) => (await ask(title, text, [], yes)) !== null;

$("ask-no").addEventListener("click", () => $("ask").close("cancel")); // no submit button: Enter must mean yes
