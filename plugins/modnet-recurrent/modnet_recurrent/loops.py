"""The arithmetic of a step between its product and its tanh, compiled by numba: each a single pass over the gates.

Arrays are flat after their first axes: gates (gates, time, n) and states (time + 1, n), with n = batch * hidden.
"""

from __future__ import annotations

from modnet_numba.compiling import loop


@loop
def lstm_cell(gates, cell, t, half):
    """From the tanh of all gates to the gates' values, and to the cell after step t."""
    before, after = cell[t], cell[t + 1]
    i, f, g, o = gates[0, t], gates[1, t], gates[2, t], gates[3, t]
    for j in range(len(after)):
        i[j] = i[j] * half + half
        f[j] = f[j] * half + half
        o[j] = o[j] * half + half
        after[j] = f[j] * before[j] + i[j] * g[j]


@loop
def lstm_gates_gradient(gates, cell, squashed, t, flow, cell_flow, of_gates, one):
    """From the gradients of h and c after step t to those of its gates, (4, n), and of the cell before it."""
    before, tanh_c = cell[t], squashed[t]
    i, f, g, o = gates[0, t], gates[1, t], gates[2, t], gates[3, t]
    of_i, of_f, of_g, of_o = of_gates[0], of_gates[1], of_gates[2], of_gates[3]
    for j in range(len(flow)):
        of_cell = cell_flow[j] + flow[j] * o[j] * (one - tanh_c[j] * tanh_c[j])
        of_o[j] = flow[j] * tanh_c[j] * o[j] * (one - o[j])
        of_i[j] = of_cell * g[j] * i[j] * (one - i[j])
        of_f[j] = of_cell * before[j] * f[j] * (one - f[j])
        of_g[j] = of_cell * i[j] * (one - g[j] * g[j])
        cell_flow[j] = of_cell * f[j]


@loop
def gru_candidate(gates, product, bias, recurrent, t, half):
    """From the tanh of r and z to their values, and to what the tanh of the new state is taken of."""
    batch, size = product.shape[1:]
    r, z, n, sums = gates[0, t], gates[1, t], gates[2, t], recurrent[t]
    for row in range(batch):
        for k in range(size):
            j = row * size + k
            r[j] = r[j] * half + half
            z[j] = z[j] * half + half
            sums[j] = product[2, row, k] + bias[k]
            n[j] += r[j] * sums[j]


@loop
def gru_state(gates, hidden, t):
    """The state after step t."""
    z, n, before, after = gates[1, t], gates[2, t], hidden[t], hidden[t + 1]
    for j in range(len(after)):
        after[j] = n[j] + z[j] * (before[j] - n[j])


@loop
def gru_gates_gradient(gates, hidden, recurrent, t, flow, of_gates, one):
    """From the gradient of h after step t to those of n' + b', r, z, n, (4, n), and to its part of that before it."""
    r, z, n, before, sums = gates[0, t], gates[1, t], gates[2, t], hidden[t], recurrent[t]
    of_sums, of_r, of_z, of_n = of_gates[0], of_gates[1], of_gates[2], of_gates[3]
    for j in range(len(flow)):
        of_new = flow[j] * (one - z[j]) * (one - n[j] * n[j])
        of_n[j] = of_new
        of_sums[j] = of_new * r[j]
        of_r[j] = of_new * sums[j] * r[j] * (one - r[j])
        of_z[j] = flow[j] * (before[j] - n[j]) * z[j] * (one - z[j])
        flow[j] *= z[j]
