/* Recurrent layers: rnn, gru and lstm. */

enum { RNN_TANH, RNN_RELU, GATED_UNIT, LONG_SHORT };

/* n: steps, features, hidden size, kind, 1 for the output after every step, 1 for backward in time, 1 for both states of
   an lstm, and where in the workspace what x gives to the gates, the gates of a step, the states and copies of them lie.
   p: packed weights of x and of h, bias (padded), bias of h (padded), the states before the first step, or `beside`. */
typedef struct {
    int64_t samples, steps, features, size, kind, sequences, backward, both;
    real *given, *gates, *hidden, *cell;
} recurrence;

static void step_of_rnn(const recurrence *r) {
    for (int64_t i = 0; i < r->samples * r->size; i++)
        r->hidden[i] = r->kind == RNN_RELU ? at_least(r->gates[i], 0) : hyperbolic_tangent(r->gates[i]);
}

static void step_of_lstm(const recurrence *r) {
    const int64_t size = r->size;
    for (int64_t sample = 0; sample < r->samples; sample++) {
        const real *gates = r->gates + sample * 4 * size;
        real *restrict hidden = r->hidden + sample * size, *restrict cell = r->cell + sample * size;
        for (int64_t i = 0; i < size; i++) {
            const real kept = logistic(gates[size + i]) * cell[i];
            const real c = kept + logistic(gates[i]) * hyperbolic_tangent(gates[2 * size + i]);
            cell[i] = c;
            hidden[i] = logistic(gates[3 * size + i]) * hyperbolic_tangent(c);
        }
    }
}

/* `gates` holds what h gives, `given` what x gives. */
static void step_of_gru(const recurrence *r, const real *given, int64_t given_step) {
    const int64_t size = r->size;
    for (int64_t sample = 0; sample < r->samples; sample++) {
        const real *of_x = given + sample * given_step, *of_h = r->gates + sample * 3 * size;
        real *restrict hidden = r->hidden + sample * size;
        for (int64_t i = 0; i < size; i++) {
            const real reset = logistic(of_x[i] + of_h[i]), kept = logistic(of_x[size + i] + of_h[size + i]);
            const real fresh = hyperbolic_tangent(of_x[2 * size + i] + reset * of_h[2 * size + i]);
            hidden[i] = (hidden[i] - fresh) * kept + fresh;
        }
    }
}

static void begin_states(const recurrence *r, const call *job) {
    const int64_t size = r->size, count = r->kind == LONG_SHORT ? 2 : 1;
    for (int64_t state = 0; state < count; state++) {
        real *to = state ? r->cell : r->hidden;
        const real *learned = job->op->p[4], *given = job->beside;
        for (int64_t sample = 0; sample < r->samples; sample++)
            for (int64_t i = 0; i < size; i++) {
                real first = learned ? learned[state * size + i] : 0;
                to[sample * size + i] = given ? given[(sample * count + state) * size + i] : first;
            }
    }
}

/* Keeps the states of the samples whose step does not count, or takes them back after it. */
static void keep_states(const recurrence *r, const call *job, int64_t place, real *kept, int back) {
    const size_t size = (size_t)r->size;
    for (int64_t sample = 0; sample < r->samples; sample++) {
        if (job->mask[sample * r->steps + place])
            continue;
        real *own[2] = {r->hidden + sample * r->size, r->cell + sample * r->size}, *copy = kept + 2 * sample * r->size;
        for (int64_t state = 0; state < (r->kind == LONG_SHORT ? 2 : 1); state++, copy += size)
            memcpy(back ? own[state] : copy, back ? copy : own[state], size * sizeof(real));
    }
}

static int64_t run_recurrent(const call *job) {
    const operation *op = job->op;
    const int64_t *n = op->n, zero = 0;
    char *w = job->workspace;
    recurrence r = {job->samples, n[0], n[1], n[2], n[3], n[4], n[5], n[6],
                    (real *)(w + n[7]), (real *)(w + n[8]), (real *)(w + n[9]), (real *)(w + n[10])};
    const int64_t size = r.size, count = r.kind == LONG_SHORT ? 4 : r.kind == GATED_UNIT ? 3 : 1, width = count * size;
    product of_x = {job->from, r.features, &zero, 1, r.features, op->p[2], 0, r.given, width, 0};
    multiply(&of_x, r.samples * r.steps, width, op->p[0]);
    begin_states(&r, job);
    real *y = job->to;
    for (int64_t step = 0; step < r.steps; step++) {
        const int64_t place = r.backward ? r.steps - 1 - step : step;
        const real *given = r.given + place * width;
        product of_h = {r.hidden, size, &zero, 1, size, given, r.steps * width, r.gates, width, 0};
        if (r.kind == GATED_UNIT) { /* its reset gate acts on what h alone gives */
            of_h.first = op->p[3];
            of_h.first_step = 0;
        }
        multiply(&of_h, r.samples, width, op->p[1]);
        real *kept = (real *)(w + n[11]);
        if (job->mask)
            keep_states(&r, job, place, kept, 0);
        if (r.kind == LONG_SHORT)
            step_of_lstm(&r);
        else if (r.kind == GATED_UNIT)
            step_of_gru(&r, given, r.steps * width);
        else
            step_of_rnn(&r);
        if (job->mask)
            keep_states(&r, job, place, kept, 1);
        if (r.sequences)
            for (int64_t sample = 0; sample < r.samples; sample++) {
                real *to = y + (sample * r.steps + place) * size;
                if (job->mask && !job->mask[sample * r.steps + place])
                    memset(to, 0, (size_t)size * sizeof(real));
                else
                    memcpy(to, r.hidden + sample * size, (size_t)size * sizeof(real));
            }
    }
    if (!r.sequences)
        for (int64_t sample = 0; sample < r.samples; sample++) {
            memcpy(y + sample * (1 + r.both) * size, r.hidden + sample * size, (size_t)size * sizeof(real));
            if (r.both)
                memcpy(y + (2 * sample + 1) * size, r.cell + sample * size, (size_t)size * sizeof(real));
        }
    return 0;
}
