// Brings pages up to date while a run goes on. Everything also works without it, by reloading.
"use strict";

const SECONDS = 1.5;
const ENDED = ["done", "cached", "failed", "stopped", "lost", "unknown"];

// Asks again and again, until `ask` says that there is nothing more to come.
async function repeat(ask) {
  for (;;) {
    await new Promise((ready) => setTimeout(ready, SECONDS * 1000));
    if (document.hidden) continue;
    try {
      if (await ask()) return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the console is away: it may come back
    }
  }
}

// Whether nothing more comes of what a part of the page shows.
function ended(part) {
  return ENDED.includes(part.querySelector("[data-state]")?.dataset.state);
}

// Makes the children of one element those of another and keeps what is equal, so that the focus,
// places scrolled to and opened details stay as they are.
function become(old, fresh) {
  const now = [...old.childNodes];
  const wanted = [...fresh.childNodes];
  wanted.forEach((node, place) => {
    const here = now[place];
    if (!here) old.append(node);
    else if (here.nodeName !== node.nodeName) here.replaceWith(node);
    else if (node.nodeType !== Node.ELEMENT_NODE) {
      if (here.data !== node.data) here.data = node.data;
    } else {
      take(here, node);
      become(here, node);
    }
  });
  now.slice(wanted.length).forEach((node) => node.remove());
}

function take(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
}

// A part of the page whose text the server makes: <div data-refresh="ADDRESS">.
function refresh(part) {
  let last = null;
  if (ended(part)) return;
  repeat(async () => {
    const answer = await fetch(part.dataset.refresh);
    if (!answer.ok) return false;
    const text = await answer.text();
    // What is chosen stays: its row may be another one after the change.
    if (text !== last && !part.querySelector("input:checked")) {
      const fresh = document.createElement("template");
      fresh.innerHTML = text; // the server's own templates, which escape everything
      become(part, fresh.content);
      last = text;
    }
    return ended(part);
  });
}

// A log that grows: <pre data-log="ADDRESS" data-offset="BYTES">.
function follow(log) {
  let offset = log.dataset.offset;
  repeat(async () => {
    const answer = await fetch(`${log.dataset.log}?offset=${offset}`);
    if (!answer.ok) return false;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    log.append(await answer.text());
    const before = offset;
    offset = answer.headers.get("X-Next-Offset");
    if (atEnd) log.scrollTop = log.scrollHeight;
    return before === offset && ended(document);
  });
}

// A text with a button that copies it: <pre data-copy>.
function copyable(text) {
  if (!navigator.clipboard) return; // the browser forbids it here
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  });
  text.after(button);
}

document.querySelectorAll("[data-copy]").forEach(copyable);
document.querySelectorAll("[data-refresh]").forEach(refresh);
document.querySelectorAll("[data-log]").forEach(follow);
