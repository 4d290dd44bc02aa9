// Plays a skeleton in three dimensions: turned by dragging or by keys, played, stepped through.
"use strict";

(() => {
  const FRAMES_PER_SECOND = 30;
  const DISTANCE = 2600; // of the eye from the middle of a box of -500 to 500
  // As the sensor saw it: its axes lead to its left, upward, and away from it.
  const FRONT = { turn: Math.PI + 0.4, tilt: 0.15 };
  const STEP = 0.12;
  const COLOURS = ["--joint", "--bone", "--joint-motion", "--bone-motion"];

  class Player {
    constructor(figure, data) {
      this.data = data;
      this.canvas = figure.querySelector("canvas");
      for (const name of ["play", "back", "on", "front", "frame", "speed"]) {
        this[name] = figure.querySelector(`.${name}`);
      }
      this.text = figure.querySelector(".place");
      this.angles = { ...FRONT };
      this.place = 0;
      this.playing = false;
      this.floor = this.lowest();
      this.frame.max = data.frames.length - 1;
      this.listen();
      this.show(0);
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.toggle();
    }

    lowest() {
      let lowest = 500;
      for (const bodies of this.data.frames) {
        for (const body of bodies) {
          for (let joint = 1; body && joint < body.length; joint += 3) lowest = Math.min(lowest, body[joint]);
        }
      }
      return lowest;
    }

    listen() {
      this.play.addEventListener("click", () => this.toggle());
      this.back.addEventListener("click", () => this.step(-1));
      this.on.addEventListener("click", () => this.step(1));
      this.front.addEventListener("click", () => { this.angles = { ...FRONT }; this.draw(); });
      this.frame.addEventListener("input", () => { this.pause(); this.show(Number(this.frame.value)); });
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      let from = null;
      this.canvas.addEventListener("pointerdown", (event) => {
        this.canvas.setPointerCapture(event.pointerId);
        from = [event.clientX, event.clientY];
      });
      this.canvas.addEventListener("pointermove", (event) => {
        if (!this.canvas.hasPointerCapture(event.pointerId)) return;
        this.orbit((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
        from = [event.clientX, event.clientY];
      });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const actions = {
        ArrowLeft: () => this.orbit(-STEP, 0),
        ArrowRight: () => this.orbit(STEP, 0),
        ArrowUp: () => this.orbit(0, -STEP),
        ArrowDown: () => this.orbit(0, STEP),
        Home: () => this.front.click(),
        " ": () => this.toggle(),
        ",": () => this.step(-1),
        ".": () => this.step(1),
      };
      if (!actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    }

    orbit(turn, tilt) {
      this.angles.turn += turn;
      this.angles.tilt = Math.max(-1.5, Math.min(1.5, this.angles.tilt + tilt));
      this.draw();
    }

    toggle() {
      if (this.playing) return this.pause();
      this.playing = true;
      this.play.textContent = "Pause";
      let last = null, due = 0;
      const tick = (now) => {
        if (!this.playing) return;
        due += last === null ? 0 : ((now - last) / 1000) * FRAMES_PER_SECOND * Number(this.speed.value);
        last = now;
        if (due >= 1) {
          this.show((this.place + Math.floor(due)) % this.data.frames.length);
          due %= 1;
        }
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    pause() {
      this.playing = false;
      this.play.textContent = "Play";
    }

    step(by) {
      this.pause();
      this.show((this.place + by + this.data.frames.length) % this.data.frames.length);
    }

    show(place) {
      this.place = place;
      this.frame.value = place;
      const text = `${this.data.kept[place] + 1} of ${this.data.total}`;
      this.text.textContent = text;
      this.frame.setAttribute("aria-valuetext", `frame ${text}`);
      this.draw();
    }

    // Where a point is on a picture whose middle is 0 and whose half height is about 1, and how near.
    project(x, y, z) {
      const { turn, tilt } = this.angles;
      const across = x * Math.cos(turn) + z * Math.sin(turn);
      const deep = z * Math.cos(turn) - x * Math.sin(turn);
      const up = y * Math.cos(tilt) - deep * Math.sin(tilt);
      const near = deep * Math.cos(tilt) + y * Math.sin(tilt);
      const scale = DISTANCE / (DISTANCE - near) / 560;
      return [across * scale, -up * scale, near];
    }

    draw() {
      const { canvas } = this;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = canvas.clientWidth * ratio;
      canvas.height = canvas.clientHeight * ratio;
      const context = canvas.getContext("2d");
      const style = getComputedStyle(canvas);
      const half = Math.min(canvas.width, canvas.height) / 2;
      context.setTransform(half, 0, 0, half, canvas.width / 2, canvas.height / 2);
      context.lineCap = "round";
      this.drawFloor(context, style.getPropertyValue("--line"));
      this.data.frames[this.place].forEach((body, place) => {
        if (body) this.drawBody(context, body, style.getPropertyValue(COLOURS[place % COLOURS.length]));
      });
    }

    drawFloor(context, colour) {
      context.strokeStyle = colour;
      context.lineWidth = 0.004;
      for (let line = -500; line <= 500; line += 250) {
        for (const ends of [[[line, -500], [line, 500]], [[-500, line], [500, line]]]) {
          context.beginPath();
          for (const [x, z] of ends) context.lineTo(...this.project(x, this.floor, z).slice(0, 2));
          context.stroke();
        }
      }
    }

    drawBody(context, body, colour) {
      const joints = [];
      for (let joint = 0; joint < body.length; joint += 3) joints.push(this.project(...body.slice(joint, joint + 3)));
      // The farthest first, so that the nearer ones cover them, and fainter.
      const depth = ([one, other]) => joints[one][2] + joints[other][2];
      const bones = [...this.data.edges].sort((one, other) => depth(one) - depth(other));
      context.strokeStyle = context.fillStyle = colour;
      for (const [child, parent] of bones) {
        context.globalAlpha = 0.75 + depth([child, parent]) / 4000;
        context.lineWidth = 0.022;
        context.beginPath();
        context.moveTo(joints[child][0], joints[child][1]);
        context.lineTo(joints[parent][0], joints[parent][1]);
        context.stroke();
      }
      context.globalAlpha = 1;
      for (const [x, y] of joints) {
        context.beginPath();
        context.arc(x, y, 0.02, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  async function start(figure) {
    const message = figure.querySelector("[role=alert]");
    try {
      const answer = await fetch(figure.dataset.skeleton);
      const content = await answer.json();
      if (answer.ok) return new Player(figure, content);
      message.textContent = content.detail;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      message.textContent = "The console does not answer; reload the page.";
    }
    message.hidden = false;
    return null;
  }

  document.querySelectorAll("[data-skeleton]").forEach(start);
})();
