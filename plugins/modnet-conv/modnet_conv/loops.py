"""Loops that numba compiles; `modnet_conv.kernels` offers them. All take images without gaps in memory."""

from __future__ import annotations

import numpy as np
from numba import njit

loop = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"})
"""Compiles a loop; nan stays nan."""


@njit(inline="always")
def inside(at, stride, size, count):
    """The first window, and the one after the last, whose place `at` (of window 0) is within an axis."""
    first = max(0, (stride - 1 - at) // stride)
    last = min(count, (size - 1 - at) // stride + 1)
    return first, max(first, last)


@loop
def add_products(target, image, at, starts, lines, place, stop):
    """Adds to each element of `target` its products with the places from `place` to `stop` of its window.

    Nine or three places are added up before the element is written: each time it is read and written costs as much as
    a product.

    Args:
        at: of the first element's window in `image`, which is flat.
        starts: of each place in a window.
        lines: the weights of each place.
    """
    while place < stop:
        if place + 9 <= stop:
            s0, s1, s2 = image[at + starts[place] :], image[at + starts[place + 1] :], image[at + starts[place + 2] :]
            f0, f1, f2 = lines[place], lines[place + 1], lines[place + 2]
            place += 3
            s3, s4, s5 = image[at + starts[place] :], image[at + starts[place + 1] :], image[at + starts[place + 2] :]
            f3, f4, f5 = lines[place], lines[place + 1], lines[place + 2]
            place += 3
            s6, s7, s8 = image[at + starts[place] :], image[at + starts[place + 1] :], image[at + starts[place + 2] :]
            f6, f7, f8 = lines[place], lines[place + 1], lines[place + 2]
            place += 3
            for k in range(len(target)):
                total = target[k] + s0[k] * f0[k] + s1[k] * f1[k] + s2[k] * f2[k]
                total += s3[k] * f3[k] + s4[k] * f4[k] + s5[k] * f5[k]
                target[k] = total + s6[k] * f6[k] + s7[k] * f7[k] + s8[k] * f8[k]
        elif place + 3 <= stop:
            s0, s1, s2 = image[at + starts[place] :], image[at + starts[place + 1] :], image[at + starts[place + 2] :]
            f0, f1, f2 = lines[place], lines[place + 1], lines[place + 2]
            for k in range(len(target)):
                target[k] += s0[k] * f0[k] + s1[k] * f1[k] + s2[k] * f2[k]
            place += 3
        else:
            seen, factor = image[at + starts[place] :], lines[place]
            for k in range(len(target)):
                target[k] += seen[k] * factor[k]
            place += 1


@loop
def depthwise(x, lines, bias, rows, columns, top, left, down, across, step_down, step_across, y):
    """Goes over a run of windows at once, as long as `lines`; the longer the faster.

    Args:
        lines: the weight of each place in a window of rows x columns, column by column, for each element of a run.
        bias: for each element of a run.
    """
    height, width, channels = x.shape[1:]
    count, run = y.shape[2], len(bias) // channels
    starts = np.empty(rows * columns, np.int64)
    for j in range(columns):
        for i in range(rows):
            starts[j * rows + i] = (i * step_down * width + j * step_across) * channels
    # The windows that reach neither over the left border nor over the right one; the others go one by one.
    begin = min(max(0, (left + across - 1) // across), count)
    end = max(begin, min(count, (width - 1 + left - (columns - 1) * step_across) // across + 1))
    for n in range(len(x)):
        image = x[n].reshape(-1)
        for p in range(y.shape[1]):
            out = y[n, p].reshape(-1)
            row = p * down - top
            first_row, last_row = inside(row, step_down, height, rows)
            q = 0
            while q < count:
                first, last, stop = 0, columns, min(q + run, end)
                if q < begin or q >= end:
                    first, last = inside(q * across - left, step_across, width, columns)
                    stop = q + 1
                at = (row * width + q * across - left) * channels
                target = out[q * channels : stop * channels]
                for k in range(len(target)):
                    target[k] = bias[k]
                if last_row - first_row == rows:
                    add_products(target, image, at, starts, lines, first * rows, last * rows)
                else:
                    for j in range(first, last):
                        add_products(target, image, at, starts, lines, j * rows + first_row, j * rows + last_row)
                q = stop


@loop
def depthwise_weight_gradient(x, gradient, top, left, down, step_down, step_across, of_lines):
    """For a stride across of 1. Adds to `of_lines` the gradient for each element of a run of windows.

    The products of four lines are added up before a total is written: that costs as much as a product.
    """
    height, width, channels = x.shape[1:]
    count, run = gradient.shape[2], of_lines.shape[2] // channels
    next_seen, next_part = down * width * channels, count * channels  # from a window to the one below
    for n in range(len(x)):
        image = x[n].reshape(-1)
        for i in range(of_lines.shape[0]):
            p, last_row = inside(i * step_down - top, down, height, gradient.shape[1])
            while p < last_row:
                four = last_row - p >= 4
                part = gradient[n, p : p + 4].reshape(-1)
                seen = image[(p * down + i * step_down - top) * width * channels :]
                for q in range(0, count, run):
                    for j in range(of_lines.shape[1]):
                        at = j * step_across - left
                        first, last = inside(at, 1, width, count)
                        first, last = max(first, q), min(last, q + run)
                        if first >= last:
                            continue
                        total = of_lines[i, j, : (last - first) * channels]
                        s0, g0 = seen[(first + at) * channels :], part[first * channels :]
                        if four:
                            s1, s2, s3 = s0[next_seen:], s0[2 * next_seen :], s0[3 * next_seen :]
                            g1, g2, g3 = g0[next_part:], g0[2 * next_part :], g0[3 * next_part :]
                            for k in range(len(total)):
                                total[k] += s0[k] * g0[k] + s1[k] * g1[k] + s2[k] * g2[k] + s3[k] * g3[k]
                        else:
                            for k in range(len(total)):
                                total[k] += s0[k] * g0[k]
                p += 4 if four else 1


@loop
def depthwise_weight_gradient_by_pixel(x, gradient, top, left, down, across, step_down, step_across, of_pixel):
    """For any stride. Adds to `of_pixel` (kernel height, kernel width, channels)."""
    height, width, channels = x.shape[1:]
    for n in range(len(x)):
        for p in range(gradient.shape[1]):
            part = gradient[n, p].reshape(-1)
            for i in range(of_pixel.shape[0]):
                row = p * down + i * step_down - top
                if row < 0 or row >= height:
                    continue
                seen = x[n, row].reshape(-1)
                for j in range(of_pixel.shape[1]):
                    at, total = j * step_across - left, of_pixel[i, j]
                    first, last = inside(at, across, width, gradient.shape[2])
                    for q in range(first, last):
                        some, share = seen[(q * across + at) * channels :], part[q * channels :]
                        for c in range(channels):
                            total[c] += some[c] * share[c]


@loop
def depthwise_input_gradient(gradient, lines, top, left, down, across, step_down, step_across, of_input):
    """For any stride; for one of 1, `depthwise` with the mirrored kernels does it faster."""
    height, width, channels = of_input.shape[1:]
    of_input.fill(0)
    for n in range(len(gradient)):
        for p in range(gradient.shape[1]):
            part = gradient[n, p].reshape(-1)
            for i in range(lines.shape[0]):
                row = p * down + i * step_down - top
                if row < 0 or row >= height:
                    continue
                line = of_input[n, row].reshape(-1)
                for j in range(lines.shape[1]):
                    at = j * step_across - left
                    first, last = inside(at, across, width, gradient.shape[2])
                    for q in range(first, last):
                        share, target = part[q * channels :], line[(q * across + at) * channels :]
                        for c in range(channels):
                            target[c] += share[c] * lines[i, j, c]


@njit(inline="always")
def greater(one, other):
    """The first of equal numbers; a nan wins, and stays."""
    return one if (one >= other or one != one) else other


@loop
def max_pool(x, size_down, size_across, top, left, down, across, y):
    """Compares two places of a window before it writes: each time costs as much as a comparison."""
    height, width, channels = x.shape[1:]
    for n in range(len(x)):
        image = x[n].reshape(-1)
        for p in range(y.shape[1]):
            first_row, last_row = max(p * down - top, 0), min(p * down - top + size_down, height)
            line = y[n, p].reshape(-1)
            for q in range(y.shape[2]):
                first, last = max(q * across - left, 0), min(q * across - left + size_across, width)
                out = line[q * channels : (q + 1) * channels]
                for row in range(first_row, last_row):
                    for column in range(first, last, 2):
                        seen = image[(row * width + column) * channels :]
                        beside = seen[channels:] if column + 1 < last else seen
                        if row == first_row and column == first:
                            for c in range(len(out)):
                                out[c] = greater(seen[c], beside[c])
                        else:
                            for c in range(len(out)):
                                out[c] = greater(out[c], greater(seen[c], beside[c]))


@loop
def max_pool_gradient(x, y, gradient, size_down, size_across, top, left, down, across, of_input):
    """Overwrites `gradient`."""
    height, width, channels = x.shape[1:]
    of_input.fill(0)
    for n in range(len(x)):
        for p in range(y.shape[1]):
            first_row, last_row = max(p * down - top, 0), min(p * down - top + size_down, height)
            for q in range(y.shape[2]):
                first, last = max(q * across - left, 0), min(q * across - left + size_across, width)
                highest, rest = y[n, p, q], gradient[n, p, q]
                for row in range(first_row, last_row):
                    for column in range(first, last):
                        seen, target = x[n, row, column], of_input[n, row, column]
                        for c in range(channels):
                            share = rest[c] if seen[c] == highest[c] else 0 * rest[c]
                            target[c] += share
                            rest[c] -= share


@loop
def average_pool(x, shares, size_down, size_across, top, left, down, across, y):
    height, width, channels = x.shape[1:]
    for n in range(len(x)):
        for p in range(y.shape[1]):
            first_row, last_row = max(p * down - top, 0), min(p * down - top + size_down, height)
            for q in range(y.shape[2]):
                first, last = max(q * across - left, 0), min(q * across - left + size_across, width)
                out, share = y[n, p, q], shares[p, q, 0]
                for c in range(channels):
                    out[c] = 0
                for row in range(first_row, last_row):
                    for column in range(first, last):
                        seen = x[n, row, column]
                        for c in range(channels):
                            out[c] += seen[c]
                for c in range(channels):
                    out[c] *= share


@loop
def average_pool_gradient(gradient, shares, size_down, size_across, top, left, down, across, of_input):
    height, width, channels = of_input.shape[1:]
    of_input.fill(0)
    for n in range(len(gradient)):
        for p in range(gradient.shape[1]):
            first_row, last_row = max(p * down - top, 0), min(p * down - top + size_down, height)
            for q in range(gradient.shape[2]):
                first, last = max(q * across - left, 0), min(q * across - left + size_across, width)
                part, share = gradient[n, p, q], shares[p, q, 0]
                for row in range(first_row, last_row):
                    for column in range(first, last):
                        target = of_input[n, row, column]
                        for c in range(channels):
                            target[c] += part[c] * share
