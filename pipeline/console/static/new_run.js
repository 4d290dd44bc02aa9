// The form for a new run: the command and what is wrong with it while somebody is writing. Without
// this script the button "Check" does the same.
"use strict";

const MILLISECONDS = 400;

function setUp(form) {
  const said = document.getElementById("said");
  const upload = document.getElementById("upload");
  const command = document.getElementById("command");
  let waiting = 0;
  let asked = 0;

  const source = () => form.querySelector("[name=source]:checked")?.value;
  const files = () => (source() === "upload" ? [...upload.files] : []);
  const tooLarge = () =>
    files().reduce((sum, file) => sum + file.size, 0) > Number(upload.dataset.limit);

  // Only the fields of the chosen source are shown.
  function showSource() {
    form.querySelectorAll("[data-source]").forEach((part) => {
      part.hidden = part.dataset.source !== source();
    });
  }

  // What was entered, with the names of files and not the files.
  function entered() {
    const fields = new FormData(form);
    fields.delete("upload");
    if (source() === "upload") fields.set("raw", files().map((file) => file.name).join("\n"));
    return new URLSearchParams(fields);
  }

  function showMistakes(mistakes) {
    document.querySelectorAll("[data-mistake]").forEach((place) => {
      const name = place.dataset.mistake;
      place.textContent = mistakes[name] ?? "";
      place.hidden = !mistakes[name];
      const fields = name ? form.querySelectorAll(`[name="${CSS.escape(name)}"]`) : [];
      fields.forEach((field) => field.setAttribute("aria-invalid", String(Boolean(mistakes[name]))));
    });
  }

  async function check() {
    const number = ++asked;
    const answer = await fetch(form.dataset.check, { method: "POST", body: entered() });
    if (!answer.ok) return;
    const found = await answer.json();
    if (number !== asked) return; // something newer was asked meanwhile
    command.textContent = found.command;
    const mistakes = found.mistakes;
    if (tooLarge()) mistakes.upload = "Larger than the server takes.";
    showMistakes(mistakes);
    said.textContent = Object.keys(mistakes).length ? "" : "Nothing is wrong with it.";
  }

  function checkSoon() {
    clearTimeout(waiting);
    // When the console is away there is nothing to say: the next try may find it.
    waiting = setTimeout(() => check().catch(() => {}), MILLISECONDS);
  }

  // A large upload shows how far it is.
  function send(event) {
    const button = event.submitter;
    if (!files().length || button?.value === "preset") return;
    event.preventDefault();
    if (tooLarge()) {
      showMistakes({ upload: "Larger than the server takes." });
      return;
    }
    const bar = document.getElementById("sent");
    const fields = new FormData(form);
    if (button) fields.set(button.name, button.value);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.onprogress = ({ loaded, total }) => {
      bar.hidden = false;
      bar.value = loaded / total;
      said.textContent = `${Math.floor((100 * loaded) / total)} % sent`;
    };
    request.onerror = () => {
      said.textContent = "The connection broke. Nothing was started.";
    };
    request.onload = () => {
      if (request.responseURL !== form.action) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const main = page.querySelector("main"); // of the server's own templates
      if (!main) {
        said.textContent = request.responseText;
        return;
      }
      document.querySelector("main").replaceWith(main);
      window.scrollTo(0, 0);
      start();
    };
    request.send(fields);
  }

  form.addEventListener("input", checkSoon);
  form.addEventListener("change", showSource);
  form.addEventListener("submit", send);
  showSource();

  const copy = document.getElementById("copy");
  copy.hidden = !navigator.clipboard; // only in a secure context
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.textContent);
    said.textContent = "Copied.";
  });
}

function start() {
  const form = document.querySelector("[data-check]");
  if (form) setUp(form);
}

start();
