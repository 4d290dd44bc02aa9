"use strict";
// Plays the skeletons: one player for each article, drawn from the numbers beside it.
(() => {
  const FRAMES_PER_SECOND = 15;
  const BODY_COLOURS = ["--joint", "--bone"];

  function project(body, joint, turn) {
    const [x, y, z] = body.slice(3 * joint, 3 * joint + 3);
    return [x * Math.cos(turn) + z * Math.sin(turn), -y];
  }

  function drawBody(context, edges, body, turn, colour) {
    context.strokeStyle = context.fillStyle = colour;
    for (const [child, parent] of edges) {
      context.beginPath();
      context.moveTo(...project(body, child, turn));
      context.lineTo(...project(body, parent, turn));
      context.stroke();
    }
    for (let joint = 0; joint < body.length / 3; joint++) {
      const [x, y] = project(body, joint, turn);
      context.beginPath();
      context.arc(x, y, 11, 0, 2 * Math.PI);
      context.fill();
    }
  }

  function start(article) {
    const data = JSON.parse(article.querySelector("script").textContent);
    const canvas = article.querySelector("canvas");
    const [button, frame, turn, output] = ["button", ".frame", ".turn", "output"]
      .map((selector) => article.querySelector(selector));
    let timer = null;

    function draw() {
      const context = canvas.getContext("2d");
      const style = getComputedStyle(article);
      const scale = Math.min(canvas.width, canvas.height) / 1080;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.setTransform(scale, 0, 0, scale, canvas.width / 2, canvas.height / 2);
      context.lineWidth = 10;
      context.lineCap = "round";
      data.frames[frame.value].forEach((body, place) => {
        const colour = style.getPropertyValue(BODY_COLOURS[place % BODY_COLOURS.length]);
        if (body) drawBody(context, data.edges, body, turn.value * Math.PI / 180, colour);
      });
      const text = `${data.kept[frame.value] + 1} of ${data.total}`;
      output.textContent = text;
      frame.setAttribute("aria-valuetext", `frame ${text}`);
    }

    function pause() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    }

    function play() {
      timer = setInterval(() => {
        frame.value = (Number(frame.value) + 1) % data.frames.length;
        draw();
      }, 1000 / FRAMES_PER_SECOND);
      button.textContent = "Pause";
    }

    button.addEventListener("click", () => (timer === null ? play() : pause()));
    frame.addEventListener("input", () => { pause(); draw(); });
    turn.addEventListener("input", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    canvas.width *= 2;
    canvas.height *= 2;
    draw();
  }

  document.querySelectorAll(".player").forEach(start);
})();
