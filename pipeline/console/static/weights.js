// Ensemble weights as sliders, and the accuracy that follows them. Small runs send their logits once
// and are computed here, in float32 as the server does it; of large ones the server is asked.
"use strict";

(() => {
  const form = document.querySelector("form.weights");
  if (!form) return;
  const sliders = [...form.querySelectorAll("input")];
  const samples = Number(form.dataset.samples);
  const classes = Number(form.dataset.classes);
  let weights = sliders.map((slider) => Number(slider.dataset.weight));
  let logits = null; // a promise of labels and logits, asked for when a slider first moves
  let own = null; // right with the run's own weights
  let asked = 0;

  async function receive() {
    const answer = await fetch(form.dataset.logits);
    if (!answer.ok) throw new TypeError(answer.statusText);
    const content = await answer.arrayBuffer();
    const labels = new Int32Array(content, 0, samples);
    const size = samples * classes;
    return {
      labels,
      parts: sliders.map((_, place) => new Float32Array(content, 4 * (samples + place * size), size)),
    };
  }

  // How many classes rank after the label: larger ones, and of equals those of a higher number.
  function rank(sums, label) {
    let after = 0;
    for (let other = 0; other < classes; other++) {
      if (sums[other] > sums[label] || (sums[other] === sums[label] && other > label)) after++;
    }
    return after;
  }

  function count({ labels, parts }, chosen) {
    const factors = chosen.map(Math.fround);
    const sums = new Float32Array(classes);
    let right = 0, amongFive = 0;
    for (let sample = 0; sample < samples; sample++) {
      const begin = sample * classes;
      for (let other = 0; other < classes; other++) {
        let sum = Math.fround(factors[0] * parts[0][begin + other]);
        for (let place = 1; place < parts.length; place++) {
          sum = Math.fround(sum + Math.fround(factors[place] * parts[place][begin + other]));
        }
        sums[other] = sum;
      }
      const after = rank(sums, labels[sample]);
      if (after < 1) right++;
      if (after < 5) amongFive++;
    }
    return { top1_right: right, top5_right: amongFive };
  }

  async function figures(chosen) {
    if (form.dataset.logits) {
      logits = logits ?? receive();
      return count(await logits, chosen);
    }
    const query = sliders.map((slider, place) => `${slider.name}=${chosen[place]}`).join("&");
    const answer = await fetch(`${form.dataset.ensemble}&${query}`);
    if (!answer.ok) throw new TypeError(answer.statusText);
    return answer.json();
  }

  function show(found) {
    const percent = (part) => ((100 * part) / samples).toFixed(2);
    const difference = (100 * (found.top1_right - own)) / samples;
    form.querySelector(".top1").textContent = percent(found.top1_right);
    form.querySelector(".right").textContent = found.top1_right;
    form.querySelector(".top5").textContent = percent(found.top5_right);
    form.querySelector(".change").textContent = found.top1_right === own
      ? "" : `; ${difference > 0 ? "+" : "−"}${Math.abs(difference).toFixed(2)} against the run's own weights`;
  }

  async function update() {
    const mine = ++asked;
    if (weights.every((weight) => weight === 0)) {
      form.querySelector(".change").textContent = "; with all weights zero there is no ensemble";
      return;
    }
    try {
      const found = await figures(weights);
      if (mine === asked) show(found); // an older answer may come after a newer one
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      logits = null;
      form.querySelector(".change").textContent = "; the console does not answer";
    }
  }

  function label(place) {
    const text = String(Number(weights[place].toPrecision(3)));
    form.querySelectorAll(".value")[place].textContent = text;
  }

  own = Number(form.querySelector(".right").textContent);
  sliders.forEach((slider, place) => slider.addEventListener("input", () => {
    weights[place] = Number(slider.value);
    label(place);
    update();
  }));
  form.addEventListener("reset", () => {
    weights = sliders.map((slider) => Number(slider.dataset.weight));
    sliders.forEach((_, place) => label(place));
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
})();
