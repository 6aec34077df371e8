// The drawing area: strokes by mouse, pen, finger or keyboard, or a picture that was opened.

const SENT = 280; // pixels of a side of the picture that is sent

export class Pad {
  constructor(canvas, { changed, said }) {
    this.canvas = canvas;
    this.changed = changed;
    this.said = said;
    this.strokes = []; // {width, points: [[x, y], ...]}, all shares of the side
    this.picture = null; // {file, image}
    this.width = 0.064;
    this.cursor = null; // of the keyboard's pen: {x, y, down}
    this.listen();
    this.show();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
  }

  get isEmpty() {
    return !this.strokes.length && !this.picture;
  }

  /** Return what is to be read as an encoded picture. */
  async encoded() {
    if (this.picture) return this.picture.file;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SENT;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SENT, SENT);
    this.ink(context, SENT, "#000");
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  clear() {
    this.strokes = [];
    this.forget();
    this.update();
    this.said("The drawing is empty.");
  }

  undo() {
    if (this.picture) this.forget();
    else this.strokes.pop();
    this.update();
    this.said(`${this.strokes.length} strokes are left.`);
  }

  open(file) {
    const image = new Image();
    const show = () => {
      this.strokes = [];
      this.forget();
      this.picture = { file, image };
      this.update();
    };
    image.onload = image.onerror = show; // a format that only the server knows is sent as well
    image.src = URL.createObjectURL(file);
  }

  forget() {
    if (this.picture) URL.revokeObjectURL(this.picture.image.src);
    this.picture = null;
    if (this.cursor) this.cursor.down = false;
  }

  update() {
    this.show();
    this.changed();
  }

  start(point) {
    this.forget();
    this.strokes.push({ width: this.width, points: [point] });
    this.update();
  }

  extend(...points) {
    this.strokes.at(-1).points.push(...points);
    this.update();
  }

  show() {
    const { canvas } = this;
    const context = canvas.getContext("2d"), side = canvas.width;
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, side, side);
    if (this.picture && this.picture.image.naturalWidth) {
      const { naturalWidth: w, naturalHeight: h } = this.picture.image;
      const scale = side / Math.max(w, h);
      context.drawImage(this.picture.image, (side - w * scale) / 2, (side - h * scale) / 2, w * scale, h * scale);
    }
    this.ink(context, side, style.getPropertyValue("--ink"));
    if (this.cursor && document.activeElement === canvas) this.crosshair(context, side, style);
  }

  ink(context, side, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      const [[x, y]] = points;
      context.lineWidth = width * side;
      context.beginPath();
      if (points.length === 1) {
        context.arc(x * side, y * side, (width * side) / 2, 0, 7);
        context.fill();
        continue;
      }
      context.moveTo(x * side, y * side);
      for (const [a, b] of points.slice(1)) context.lineTo(a * side, b * side);
      context.stroke();
    }
  }

  crosshair(context, side, style) {
    const { x, y, down } = this.cursor;
    context.strokeStyle = context.fillStyle = style.getPropertyValue("--accent");
    context.lineWidth = 4;
    context.beginPath();
    context.arc(x * side, y * side, (this.width * side) / 2 + 4, 0, 7);
    if (down) context.fill();
    context.moveTo(x * side - 30, y * side);
    context.lineTo(x * side + 30, y * side);
    context.moveTo(x * side, y * side - 30);
    context.lineTo(x * side, y * side + 30);
    context.stroke();
  }

  listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    let drawing = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || drawing !== null) return;
      drawing = event.pointerId;
      canvas.setPointerCapture(drawing);
      this.cursor = null;
      this.start(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== drawing) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.extend(...(events.length ? events : [event]).map(place));
    });
    const end = (event) => {
      if (event.pointerId === drawing) drawing = null;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible")) this.cursor ??= { x: 0.5, y: 0.2, down: false };
      this.show();
    });
    canvas.addEventListener("blur", () => {
      if (this.cursor) this.cursor.down = false;
      this.show();
    });
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { key } = event;
    if (event.altKey || event.metaKey || (event.ctrlKey && key !== "z")) return;
    if (key in moves) this.move(moves[key], event.shiftKey ? 0.01 : 0.04);
    else if (key === " ") this.toggle();
    else if (key === "z" || key === "Z") this.undo();
    else if (key === "Delete" || key === "Backspace") this.clear();
    else return;
    event.preventDefault();
  }

  move([dx, dy], by) {
    const cursor = (this.cursor ??= { x: 0.5, y: 0.2, down: false });
    cursor.x = Math.min(0.98, Math.max(0.02, cursor.x + dx * by));
    cursor.y = Math.min(0.98, Math.max(0.02, cursor.y + dy * by));
    if (cursor.down) this.extend([cursor.x, cursor.y]);
    else this.show();
    const percent = (share) => Math.round(share * 100);
    this.said(`${percent(cursor.x)} across, ${percent(cursor.y)} down`);
  }

  toggle() {
    const cursor = (this.cursor ??= { x: 0.5, y: 0.2, down: false });
    cursor.down = !cursor.down;
    if (cursor.down) {
      this.start([cursor.x, cursor.y]);
      cursor.down = true; // `start` lifts it if there was a picture
    }
    this.show();
    this.said(cursor.down ? "The pen is down." : "The pen is up.");
  }
}
