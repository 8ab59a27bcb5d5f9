/**
 * Strokes as the images that the network has learnt from (MNIST): white on black, 28 x 28, in which the digit is 20 pixels
 * long, and its centre of mass stands in the middle.
 */

export const SIZE = 28;

const DIGIT = 20; // the longer side of a digit, in pixels
const PEN = 2.4; // how wide a line is

/** @typedef {{ x: number, y: number }} Point */

/**
 * Draws strokes into a canvas of 28 x 28 pixels, wherever and however large they are.
 *
 * @param {Point[][]} strokes
 * @param {CanvasRenderingContext2D} context
 * @returns {Float32Array} the 784 numbers, row after row, from 0 (black) to 255 (white)
 */
export function imageOf(strokes, context) {
  const points = strokes.flat();
  const left = Math.min(...points.map((point) => point.x));
  const right = Math.max(...points.map((point) => point.x));
  const top = Math.min(...points.map((point) => point.y));
  const bottom = Math.max(...points.map((point) => point.y));
  const scale = (DIGIT - PEN) / Math.max(right - left, bottom - top, 1);
  const middle = { x: SIZE / 2 - (scale * (left + right)) / 2, y: SIZE / 2 - (scale * (top + bottom)) / 2 };
  const first = centreOfMass(draw(strokes, context, scale, middle));
  return draw(strokes, context, scale, { x: middle.x + SIZE / 2 - first.x, y: middle.y + SIZE / 2 - first.y });
}

/**
 * @param {Point[][]} strokes
 * @param {CanvasRenderingContext2D} context
 * @param {number} scale
 * @param {Point} offset
 */
function draw(strokes, context, scale, offset) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIZE, SIZE);
  context.strokeStyle = "#fff";
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  for (const [first, ...others] of strokes) {
    context.moveTo(first.x * scale + offset.x, first.y * scale + offset.y);
    for (const { x, y } of others.length ? others : [first]) context.lineTo(x * scale + offset.x, y * scale + offset.y);
  }
  context.stroke();
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  return Float32Array.from({ length: SIZE * SIZE }, (_, pixel) => data[4 * pixel]);
}

/** @param {Float32Array} image */
function centreOfMass(image) {
  let mass = 0,
    x = 0,
    y = 0;
  image.forEach((value, pixel) => {
    mass += value;
    x += value * ((pixel % SIZE) + 0.5);
    y += value * (Math.floor(pixel / SIZE) + 0.5);
  });
  return { x: x / mass, y: y / mass };
}
