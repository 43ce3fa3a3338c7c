// Fetches the page again every ten seconds and updates the elements marked data-live that differ. Without this
// script the page stays as it was loaded.
"use strict";

const stale = document.getElementById("stale");

// become makes one element equal to another and leaves equal parts untouched. So reading position, focus and
// opened details stay.
function become(old, now) {
  if (old.isEqualNode(now)) return;
  if (old.nodeName !== now.nodeName || old.id !== now.id) {
    old.replaceWith(document.importNode(now, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = now.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const were = [...old.childNodes];
  const are = [...now.childNodes];
  are.forEach((child, i) => {
    if (i < were.length) become(were[i], child);
    else old.append(document.importNode(child, true));
  });
  were.slice(are.length).forEach((child) => child.remove());
}

const selecting = (element) => getSelection().toString() && getSelection().containsNode(element, true);

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(9000) });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const live = [...document.querySelectorAll("[data-live]")];
    // A selected text stays, and with it everything else: otherwise the "as of" time would be wrong for the text.
    if (live.some(selecting)) return;
    for (const old of live) {
      const now = fresh.getElementById(old.id);
      if (now) become(old, now);
    }
    document.title = fresh.title;
    stale.textContent = "";
  } catch {
    stale.textContent = "The service does not answer; this page shows the last state received.";
  }
}

let copied; // the button that was used last

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  if (copied) copied.textContent = "Copy";
  button.textContent = "Copied";
  copied = button;
});

// The buttons that copy a command appear only where the browser lets a page do that.
if (navigator.clipboard) document.documentElement.classList.add("copies");
if ("refresh" in document.body.dataset) setInterval(look, 10000);
// A form's result is shown once, and not again on a reload.
if (location.search.startsWith("?asked=")) history.replaceState(null, "", location.pathname);
