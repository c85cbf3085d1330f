// Passkeys: asks the server what to sign, the browser for a key, and sends the answer by the form around the button.
"use strict";

const decoded = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const encoded = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// Browsers know no passkeys without https, nor at an address that is only a number.
const known = "PublicKeyCredential" in window && !/^[\d.]+$|^\[/.test(location.hostname);

function asOptions(options) {
  options.challenge = decoded(options.challenge);
  if (options.user) options.user.id = decoded(options.user.id);
  for (const one of options.excludeCredentials ?? options.allowCredentials ?? []) one.id = decoded(one.id);
  return options;
}

function asJson(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encoded(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: encoded(credential.rawId), type: credential.type, response });
}

// The words for each fault are in the page; what the browser says itself is told as it is.
function tell(form, what, otherwise = "") {
  const place = form.querySelector("[data-told]");
  const name = what.charAt(0).toLowerCase() + what.slice(1);
  place.textContent = place.dataset[name] || otherwise;
  place.hidden = !place.textContent;
}

async function ask(form) {
  const answer = await fetch(form.dataset.passkey, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) throw Object.assign(new Error(), { name: "old" });
  const { options, sealed } = await answer.json();
  const makes = "makes" in form.dataset;
  const publicKey = asOptions(options);
  const credential = makes ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
  form.elements.sealed.value = sealed;
  form.elements.answer.value = asJson(credential);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!known && form.classList.contains("another")) {
    form.hidden = true; // there are other ways
    continue;
  }
  if (!known) {
    for (const part of form.querySelectorAll("button, .field")) part.hidden = true;
    tell(form, "unknown");
    continue;
  }
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    tell(form, "");
    button.disabled = true;
    try {
      await ask(form);
      form.requestSubmit();
    } catch (fault) {
      tell(form, fault.name, fault.message);
    } finally {
      button.disabled = false;
    }
  });
}
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) form.elements.answer.value = "";
});
