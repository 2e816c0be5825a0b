// The one script: copying, parts that follow the chain, and a key for the search.
// Every page works without it; it asks nobody but the server that served it.
"use strict";

(() => {
  const POLL_MS = 3000;

  function offerCopies(root) {
    if (!navigator.clipboard) return;
    for (const place of root.querySelectorAll("[data-copy]")) {
      if (place.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "copy";
      button.setAttribute("aria-label", "Copy " + place.dataset.copy.slice(0, 12) + "…");
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(place.dataset.copy);
          button.textContent = "copied";
        } catch {
          button.textContent = "select it";
        }
        setTimeout(() => { button.textContent = "copy"; }, 1500);
      });
      place.append(button);
    }
  }

  function follow(part) {
    let shown = part.outerHTML;
    const ask = async () => {
      if (document.hidden || part.contains(document.activeElement)) return again();
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.querySelector("[data-live-part]");
          if (fresh && fresh.outerHTML !== shown) {
            shown = fresh.outerHTML;
            part.replaceWith(fresh);
            part = fresh;
            offerCopies(part);
          }
        }
      } catch { /* The server is gone for now; what is shown stays. */ }
      again();
    };
    const again = () => {
      if (part.dataset.live) setTimeout(ask, POLL_MS);
    };
    again();
  }

  document.documentElement.classList.add("scripted");
  offerCopies(document);
  document.querySelectorAll("[data-live]").forEach(follow);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.getElementById("q").focus();
    }
  });
})();
