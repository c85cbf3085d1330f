// What makes the pages nicer; without it they work as well. No page has script of its own.
"use strict";

document.documentElement.classList.add("has-script");

// Moments in the viewer's zone; UTC stays in the title.
function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = ("day" in time.dataset ? day : format).format(moment);
  }
}

// Said to screen readers, and shown where the button was. The words are in the page.
function say(what, name = "") {
  const said = document.getElementById("said");
  said.textContent = said.dataset[what].replace("{}", name);
  return said.textContent;
}

function goesBack(button, text) {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => { button.textContent = before; }, 2000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (button) {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      goesBack(button, say("copied"));
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      say("selected");
    }
    return;
  }
  const saver = event.target.closest("[data-saves]");
  if (saver) {
    const text = document.getElementById(saver.dataset.saves).textContent;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = saver.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say("saved", saver.dataset.name);
    return;
  }
  if (event.target.closest("[data-prints]")) print();
  const all = event.target.closest("[data-ticks]");
  if (all) {
    for (const box of document.querySelectorAll(`input[name="${all.dataset.ticks}"]`)) box.checked = all.checked;
  }
});

// What is open at the top closes as menus do: by Escape, and by a click elsewhere.
function closesMenus(event) {
  for (const menu of document.querySelectorAll(".bar > details[open]")) {
    if (event.type === "click" && menu.contains(event.target)) continue;
    if (event.type === "keydown" && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
}
document.addEventListener("click", closesMenus);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closesMenus(event); });

// A second click must not send a form twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-busy");
  }
});

// A secret is on the page this once: a reload goes to its home instead, and who comes back finds nothing of it.
addEventListener("DOMContentLoaded", () => {
  const passing = document.querySelector("[data-home]");
  if (passing) history.replaceState(null, "", passing.dataset.home);
});
addEventListener("pagehide", () => {
  for (const secret of document.querySelectorAll("[data-passing]")) secret.remove();
});

// A piece that could not be fetched again says so, rather than grow old unseen.
for (const failure of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(failure, (event) => {
    const note = event.detail.target?.querySelector("[data-when-old]");
    if (note) note.hidden = false;
  });
}

document.addEventListener("htmx:afterSwap", (event) => localTimes(event.target));
addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  (document.getElementById("fault") ?? document.getElementById("notice"))?.focus();
  const goesOn = document.querySelector("form[data-goes-on]");
  if (goesOn) goesOn.requestSubmit();
});
