/** The product that dense layers, convolutions and recurrent layers are made of. */

/**
 * y += x W, for rows of x and y that lie one after the other.
 *
 * Four rows of W are taken at a time, so that each number of y is read and written once for four products.
 *
 * @param {import("./tensor.js").Floats} x (rows, inner)
 * @param {number} xStart where its first row begins
 * @param {number} rows
 * @param {number} inner
 * @param {import("./tensor.js").Floats} weight (inner, outer)
 * @param {number} outer
 * @param {import("./tensor.js").Floats} y (rows, outer)
 * @param {number} yStart
 */
export function addProduct(x, xStart, rows, inner, weight, outer, y, yStart) {
  const fours = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const at = xStart + row * inner;
    const to = yStart + row * outer;
    for (let k = 0; k < fours; k += 4) {
      const x0 = x[at + k], x1 = x[at + k + 1], x2 = x[at + k + 2], x3 = x[at + k + 3];
      const w0 = k * outer, w1 = w0 + outer, w2 = w1 + outer, w3 = w2 + outer;
      for (let j = 0; j < outer; j++) {
        y[to + j] += x0 * weight[w0 + j] + x1 * weight[w1 + j] + x2 * weight[w2 + j] + x3 * weight[w3 + j];
      }
    }
    for (let k = fours; k < inner; k++) {
      const factor = x[at + k];
      for (let j = 0, w = k * outer; j < outer; j++) y[to + j] += factor * weight[w + j];
    }
  }
}

/**
 * Writes the same numbers into each row.
 * @param {import("./tensor.js").Floats} y
 * @param {import("./tensor.js").Floats} row
 */
export function fillRows(y, row) {
  for (let at = 0; at < y.length; at += row.length) y.set(row, at);
}
