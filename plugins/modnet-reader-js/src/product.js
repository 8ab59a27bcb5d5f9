/** The product that dense layers, convolutions and recurrent layers are made of. */

/** @typedef {import("./tensor.js").Floats} Floats */

/**
 * y += x W, for rows of x and y that lie one after the other.
 *
 * Tiles of y, of two rows and four columns, are summed up in registers: so a number of x or W that is read serves for
 * several products, and y is rounded once.
 *
 * @param {Floats} x (rows, inner)
 * @param {number} xStart where its first row begins
 * @param {number} rows
 * @param {number} inner
 * @param {Floats} weight (inner, outer)
 * @param {number} outer
 * @param {Floats} y (rows, outer)
 * @param {number} yStart
 */
export function addProduct(x, xStart, rows, inner, weight, outer, y, yStart) {
  const pairs = rows - (rows % 2);
  for (let row = 0; row < pairs; row += 2) addTwoRows(x, xStart + row * inner, inner, weight, outer, y, yStart + row * outer);
  if (pairs < rows) addRow(x, xStart + pairs * inner, inner, weight, outer, y, yStart + pairs * outer);
}

/**
 * @param {Floats} x
 * @param {number} a where the first row begins
 * @param {number} inner
 * @param {Floats} weight
 * @param {number} outer
 * @param {Floats} y
 * @param {number} p where its result stands
 */
function addTwoRows(x, a, inner, weight, outer, y, p) {
  const b = a + inner;
  const q = p + outer;
  const fours = outer - (outer % 4);
  for (let j = 0; j < fours; j += 4) {
    let s0 = y[p + j], s1 = y[p + j + 1], s2 = y[p + j + 2], s3 = y[p + j + 3];
    let t0 = y[q + j], t1 = y[q + j + 1], t2 = y[q + j + 2], t3 = y[q + j + 3];
    for (let k = 0, at = j; k < inner; k++, at += outer) {
      const u = x[a + k], v = x[b + k];
      const w0 = weight[at], w1 = weight[at + 1], w2 = weight[at + 2], w3 = weight[at + 3];
      s0 += u * w0; s1 += u * w1; s2 += u * w2; s3 += u * w3;
      t0 += v * w0; t1 += v * w1; t2 += v * w2; t3 += v * w3;
    }
    y[p + j] = s0; y[p + j + 1] = s1; y[p + j + 2] = s2; y[p + j + 3] = s3;
    y[q + j] = t0; y[q + j + 1] = t1; y[q + j + 2] = t2; y[q + j + 3] = t3;
  }
  addColumns(x, a, inner, weight, outer, y, p, fours);
  addColumns(x, b, inner, weight, outer, y, q, fours);
}

/**
 * As `addTwoRows`, of one row, in tiles of eight columns.
 * @param {Floats} x
 * @param {number} a
 * @param {number} inner
 * @param {Floats} weight
 * @param {number} outer
 * @param {Floats} y
 * @param {number} p
 */
function addRow(x, a, inner, weight, outer, y, p) {
  const eights = outer - (outer % 8);
  for (let j = 0; j < eights; j += 8) {
    let s0 = y[p + j], s1 = y[p + j + 1], s2 = y[p + j + 2], s3 = y[p + j + 3];
    let s4 = y[p + j + 4], s5 = y[p + j + 5], s6 = y[p + j + 6], s7 = y[p + j + 7];
    for (let k = 0, at = j; k < inner; k++, at += outer) {
      const u = x[a + k];
      s0 += u * weight[at]; s1 += u * weight[at + 1]; s2 += u * weight[at + 2]; s3 += u * weight[at + 3];
      s4 += u * weight[at + 4]; s5 += u * weight[at + 5]; s6 += u * weight[at + 6]; s7 += u * weight[at + 7];
    }
    y[p + j] = s0; y[p + j + 1] = s1; y[p + j + 2] = s2; y[p + j + 3] = s3;
    y[p + j + 4] = s4; y[p + j + 5] = s5; y[p + j + 6] = s6; y[p + j + 7] = s7;
  }
  addColumns(x, a, inner, weight, outer, y, p, eights);
}

/**
 * The columns of a row from `first` on, each by itself.
 * @param {Floats} x
 * @param {number} a
 * @param {number} inner
 * @param {Floats} weight
 * @param {number} outer
 * @param {Floats} y
 * @param {number} p
 * @param {number} first
 */
function addColumns(x, a, inner, weight, outer, y, p, first) {
  for (let j = first; j < outer; j++) {
    let sum = y[p + j];
    for (let k = 0, at = j; k < inner; k++, at += outer) sum += x[a + k] * weight[at];
    y[p + j] = sum;
  }
}

/**
 * Writes the same numbers into each row.
 * @param {Floats} y
 * @param {Floats} row
 */
export function fillRows(y, row) {
  for (let at = 0; at < y.length; at += row.length) y.set(row, at);
}
