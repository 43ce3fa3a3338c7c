// Looks again every ten seconds and replaces what is marked data-live and differs. Without
// this script the page is the same, as it was when it was loaded.
"use strict";

const stale = document.getElementById("stale");
const busy = (element) =>
  element.contains(document.activeElement) || (getSelection().toString() && getSelection().containsNode(element, true));

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now || now.isEqualNode(old) || busy(old)) continue;
      if (old.dataset.live === "html") {
        old.replaceWith(document.adoptNode(now));
      } else {
        // The same element, so that a screen reader says what changed in it.
        old.textContent = now.textContent;
        old.className = now.className;
      }
    }
    stale.textContent = "";
  } catch {
    stale.textContent = "The service does not answer; this is what it last said.";
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

if ("refresh" in document.body.dataset) setInterval(look, 10000);
