/** The page: strokes are taken from the pointer, and after each move the digit is read. */

import { load } from "@modnet/reader";
import { SIZE, imageOf } from "./strokes.js";

const element = (id) => document.getElementById(id);
const pad = element("pad");
const ink = pad.getContext("2d");
const seen = element("seen").getContext("2d", { willReadFrequently: true });

const bars = Array.from({ length: 10 }, (_, digit) => {
  const item = document.createElement("li");
  item.innerHTML = `<span>${digit}</span><span class="bar"><i></i></span><output></output>`;
  element("digits").append(item);
  return item;
});

let strokes = [];
let isWaiting = false;
let network;

try {
  network = await load(fetch("digits.modnet"));
} catch (error) {
  element("problem").textContent = error.message;
  element("problem").hidden = false;
  throw error;
}

function show() {
  isWaiting = false;
  const image = strokes.length ? imageOf(strokes, seen) : null;
  const probabilities = image ? network.forward({ data: image, shape: [1, SIZE, SIZE] }).data : new Float32Array(10);
  const best = image ? probabilities.indexOf(Math.max(...probabilities)) : -1;
  element("answer").textContent = image ? best : "";
  element("sure").textContent = image ? `probability ${probabilities[best].toFixed(3)}` : "";
  bars.forEach((item, digit) => {
    item.className = digit === best ? "best" : "";
    item.querySelector("i").style.width = `${100 * probabilities[digit]}%`;
    item.querySelector("output").textContent = image ? `${(100 * probabilities[digit]).toFixed(1)} %` : "";
  });
  if (!image) seen.clearRect(0, 0, SIZE, SIZE);
}

/** Reads the digit before the next picture of the screen, however many moves there are until then. */
function showSoon() {
  if (!isWaiting) requestAnimationFrame(show);
  isWaiting = true;
}

function pointOf({ clientX, clientY }) {
  const box = pad.getBoundingClientRect();
  return { x: ((clientX - box.left) * pad.width) / box.width, y: ((clientY - box.top) * pad.height) / box.height };
}

function line(from, to) {
  ink.strokeStyle = getComputedStyle(pad).color;
  ink.lineWidth = 34;
  ink.lineCap = "round";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
}

let drawing = null; // the pointer that is down: a second finger draws nothing

pad.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button > 0) return;
  drawing = event.pointerId;
  if (event.isTrusted) pad.setPointerCapture(event.pointerId); // goes on outside of the pad
  const point = pointOf(event);
  strokes.push([point]);
  line(point, point);
  showSoon();
});

pad.addEventListener("pointermove", (event) => {
  if (drawing !== event.pointerId) return;
  const stroke = strokes.at(-1);
  for (const moved of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
    const point = pointOf(moved);
    line(stroke.at(-1), point);
    stroke.push(point);
  }
  showSoon();
});

for (const end of ["pointerup", "pointercancel"]) {
  pad.addEventListener(end, (event) => {
    if (drawing === event.pointerId) drawing = null;
  });
}

element("clear").addEventListener("click", () => {
  strokes = [];
  ink.clearRect(0, 0, pad.width, pad.height);
  show();
});

document.body.dataset.ready = "yes";
