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

// A part of the page whose text the server makes: <div data-refresh="ADDRESS">.
function refresh(part) {
  let last = null;
  const ended = () => ENDED.includes(part.querySelector("[data-state]")?.dataset.state);
  if (ended()) return;
  repeat(async () => {
    const answer = await fetch(part.dataset.refresh);
    if (!answer.ok) return false;
    const text = await answer.text();
    if (text !== last && !part.contains(document.activeElement)) {
      part.innerHTML = text; // the server's own templates, which escape everything
      last = text;
    }
    return last !== null && ended();
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
    offset = answer.headers.get("X-Next-Offset");
    if (atEnd) log.scrollTop = log.scrollHeight;
    return false;
  });
}

document.querySelectorAll("[data-refresh]").forEach(refresh);
document.querySelectorAll("[data-log]").forEach(follow);
