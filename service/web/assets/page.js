// Looks again every ten seconds and changes what is marked data-live and differs. Without
// this script the page is the same, as it was when it was loaded.
"use strict";

const stale = document.getElementById("stale");

// become makes one element like another and touches nothing that is the same in both, so
// that who reads, has the focus on something or has opened something is not disturbed.
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
    // What somebody is selecting stays as it is, and with it the time as of which all is.
    if (live.some(selecting)) return;
    for (const old of live) {
      const now = fresh.getElementById(old.id);
      if (now) become(old, now);
    }
    stale.textContent = "";
  } catch {
    stale.textContent = "The service does not answer; this is what it last said.";
  }
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

// Buttons that copy a command are there where the browser lets a page do that.
if (navigator.clipboard) document.documentElement.classList.add("copies");
if ("refresh" in document.body.dataset) setInterval(look, 10000);
// What became of a form is said once, and not again when the page is loaded again.
if (location.search.startsWith("?asked=")) history.replaceState(null, "", location.pathname);
