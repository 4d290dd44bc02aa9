// A run that was asked for: as soon as it has a page of its own, that is shown instead.
"use strict";

const part = document.querySelector("[data-refresh]");
const began = part.querySelector("[data-go]");
if (!began) {
  new MutationObserver(() => {
    const link = part.querySelector("[data-go]");
    if (link) location.replace(link.href);
  }).observe(part, { childList: true });
}
