"""Loops that numba compiles; `modnet_conv.kernels` offers them. All take images without gaps in memory."""

from __future__ import annotations

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
def depthwise(x, lines, bias, top, left, down, across, step_down, step_across, y):
    """`lines` holds the weight of each place in a window, (kernel height, kernel width, windows across * channels).

    A loop over a whole line of the image is longer, and so faster, than one over the channels of a pixel; where three
    places are beside each other, as in most kernels, it goes over all of them at once.
    """
    height, width, channels = x.shape[1:]
    count = y.shape[2]
    # The windows all of whose three places are within the line; the others, or all, go place by place.
    begin, end = count, count
    if lines.shape[1] == 3 and across == 1 and max(0, left) < min(count, width + left - 2 * step_across):
        begin, end = max(0, left), min(count, width + left - 2 * step_across)
    for n in range(len(x)):
        for p in range(y.shape[1]):
            out = y[n, p].reshape(-1)
            out[:] = bias
            for i in range(lines.shape[0]):
                row = p * down + i * step_down - top
                if row < 0 or row >= height:
                    continue
                seen = x[n, row].reshape(-1)
                if begin < end:
                    target = out[begin * channels : end * channels]
                    seen0 = seen[(begin - left) * channels :]
                    seen1 = seen[(begin - left + step_across) * channels :]
                    seen2 = seen[(begin - left + 2 * step_across) * channels :]
                    factor0 = lines[i, 0, begin * channels :]
                    factor1 = lines[i, 1, begin * channels :]
                    factor2 = lines[i, 2, begin * channels :]
                    for k in range(len(target)):
                        target[k] += seen0[k] * factor0[k] + seen1[k] * factor1[k] + seen2[k] * factor2[k]
                for j in range(lines.shape[1]):
                    at = j * step_across - left
                    first, last = inside(at, across, width, count)
                    if across == 1:
                        for start, stop in ((first, min(last, begin)), (max(first, end), last)):
                            if start >= stop:
                                continue
                            some, factor = seen[(start + at) * channels :], lines[i, j, start * channels :]
                            target = out[start * channels : stop * channels]
                            for k in range(len(target)):
                                target[k] += some[k] * factor[k]
                    else:
                        for q in range(first, last):
                            some = seen[(q * across + at) * channels :]
                            target = out[q * channels : (q + 1) * channels]
                            for c in range(channels):
                                target[c] += some[c] * lines[i, j, c]


@loop
def depthwise_weight_gradient(x, gradient, top, left, down, across, step_down, step_across, of_lines):
    """Adds to `of_lines`."""
    height, width, channels = x.shape[1:]
    for n in range(len(x)):
        for p in range(gradient.shape[1]):
            part = gradient[n, p].reshape(-1)
            for i in range(of_lines.shape[0]):
                row = p * down + i * step_down - top
                if row < 0 or row >= height:
                    continue
                seen = x[n, row].reshape(-1)
                for j in range(of_lines.shape[1]):
                    at = j * step_across - left
                    first, last = inside(at, across, width, gradient.shape[2])
                    if across == 1:
                        some, share = seen[(first + at) * channels :], part[first * channels : last * channels]
                        total = of_lines[i, j, first * channels :]
                        for k in range(len(share)):
                            total[k] += some[k] * share[k]
                    else:
                        total = of_lines[i, j]
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


@loop
def max_pool(x, size_down, size_across, top, left, down, across, y):
    height, width, channels = x.shape[1:]
    for n in range(len(x)):
        for p in range(y.shape[1]):
            first_row, last_row = max(p * down - top, 0), min(p * down - top + size_down, height)
            for q in range(y.shape[2]):
                first, last = max(q * across - left, 0), min(q * across - left + size_across, width)
                out = y[n, p, q]
                for c in range(channels):
                    out[c] = x[n, first_row, first, c]
                for row in range(first_row, last_row):
                    for column in range(first, last):
                        seen = x[n, row, column]
                        for c in range(channels):
                            # A nan wins, and stays.
                            out[c] = out[c] if (out[c] >= seen[c] or out[c] != out[c]) else seen[c]


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
