// Confusion matrices of many classes, on a canvas: pointed at, gone through by keys, opened.
"use strict";

(() => {
  const SMALLEST_CELL = 6, LARGEST_CELL = 24;
  const LABELS_FROM = 11; // pixels of a cell, from which on names fit beside the rows
  const LABEL_WIDTH = 170, WIDE = 720;

  function start(part, data) {
    const canvas = part.querySelector("canvas");
    const output = part.querySelector("output");
    const link = part.querySelector("a");
    const scroll = part.querySelector(".scroll");
    const totals = new Map();
    for (const [actual, , count] of data.cells) totals.set(actual, (totals.get(actual) ?? 0) + count);
    const used = [...new Set(data.cells.flatMap(([actual, predicted]) => [actual, predicted]))]
      .sort((one, other) => one - other);
    const placeOf = new Map(used.map((label, place) => [label, place]));
    const counts = new Map(data.cells.map(([actual, predicted, count]) => [`${actual} ${predicted}`, count]));
    const errors = data.cells.filter(([actual, predicted]) => actual !== predicted)
      .sort((one, other) => other[2] - one[2]);
    let row = 0, column = 0, error = -1, cell = 0, left = 0;

    function measure() {
      const width = part.clientWidth;
      left = 0;
      cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor(width / used.length)));
      if (width >= WIDE) {
        const smaller = Math.min(LARGEST_CELL, Math.floor((width - LABEL_WIDTH) / used.length));
        if (smaller >= LABELS_FROM) [cell, left] = [smaller, LABEL_WIDTH];
      }
    }

    function draw() {
      measure();
      const style = getComputedStyle(part);
      const colour = (name) => style.getPropertyValue(name);
      const ratio = window.devicePixelRatio || 1;
      const size = cell * used.length;
      canvas.width = (left + size) * ratio;
      canvas.height = size * ratio;
      canvas.style.width = `${left + size}px`;
      canvas.style.height = `${size}px`;
      const context = canvas.getContext("2d");
      context.scale(ratio, ratio);
      context.fillStyle = colour("--panel");
      context.fillRect(left, 0, size, size);
      for (const [actual, predicted, count] of data.cells) {
        context.globalAlpha = 0.3 + 0.7 * Math.sqrt(count / totals.get(actual)); // few are seen too
        context.fillStyle = colour(actual === predicted ? "--good" : "--bad");
        const gap = cell > 8 ? 1 : 0;
        context.fillRect(left + cell * placeOf.get(predicted), cell * placeOf.get(actual), cell - gap, cell - gap);
      }
      context.globalAlpha = 1;
      context.strokeStyle = context.fillStyle = colour("--text");
      context.font = `${Math.min(12, cell)}px system-ui, sans-serif`;
      context.textAlign = "right";
      context.textBaseline = "middle";
      if (left) {
        used.forEach((label, place) =>
          context.fillText(data.classes[label], left - 6, (place + 0.5) * cell, left - 8));
      }
      context.strokeRect(left + column * cell - 1, row * cell - 1, cell + 2, cell + 2);
      context.globalAlpha = 0.35;
      context.strokeRect(left, row * cell, size, cell);
      context.strokeRect(left + column * cell, 0, cell, size);
    }

    function choose(newRow, newColumn) {
      row = Math.max(0, Math.min(used.length - 1, newRow));
      column = Math.max(0, Math.min(used.length - 1, newColumn));
      const [actual, predicted] = [used[row], used[column]];
      const count = counts.get(`${actual} ${predicted}`) ?? 0;
      const total = totals.get(actual) ?? 0;
      output.textContent = actual === predicted
        ? `${data.classes[actual]}: ${count} of ${total} recognised`
        : `${data.classes[actual]} read as ${data.classes[predicted]}: ${count} of ${total}`;
      link.hidden = count === 0;
      link.href = actual === predicted
        ? `${part.dataset.class}&label=${actual}`
        : `${part.dataset.pair}&actual=${actual}&predicted=${predicted}`;
      draw();
    }

    // Keys may lead to a cell that is not in sight.
    function bringIntoSight() {
      const place = left + column * cell;
      if (place < scroll.scrollLeft || place + cell > scroll.scrollLeft + scroll.clientWidth) {
        scroll.scrollLeft = place - scroll.clientWidth / 2;
      }
    }

    function at(event) {
      const box = canvas.getBoundingClientRect();
      return [Math.floor((event.clientY - box.top) / cell), Math.floor((event.clientX - box.left - left) / cell)];
    }

    function chooseError(place) {
      if (!errors.length) return;
      error = (place + errors.length) % errors.length;
      choose(placeOf.get(errors[error][0]), placeOf.get(errors[error][1]));
    }

    const keys = {
      ArrowUp: () => choose(row - 1, column),
      ArrowDown: () => choose(row + 1, column),
      ArrowLeft: () => choose(row, column - 1),
      ArrowRight: () => choose(row, column + 1),
      PageDown: () => chooseError(error + 1),
      PageUp: () => chooseError(error - 1),
      Enter: () => link.hidden || link.click(),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
      bringIntoSight();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") choose(...at(event));
    });
    // A finger covers several cells: a tap chooses, and the link opens.
    let touched = false;
    canvas.addEventListener("pointerdown", (event) => { touched = event.pointerType !== "mouse"; });
    canvas.addEventListener("click", (event) => {
      choose(...at(event));
      if (!touched && !link.hidden) link.click();
    });
    new ResizeObserver(draw).observe(part);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    if (errors.length) chooseError(0);
    else choose(0, 0);
    bringIntoSight();
  }

  document.querySelectorAll("[data-confusion]").forEach(async (part) => {
    const answer = await fetch(part.dataset.confusion);
    if (answer.ok) start(part, await answer.json());
    else part.querySelector("output").textContent = "The console does not answer; reload the page.";
  });
})();
