/* Operations along the last axis, and those that move numbers. */

#define PARTS 16

INLINE real greatest(const real *x, int64_t count) {
    real parts[PARTS], most = x[0];
    int64_t i = 0;
    for (int j = 0; j < PARTS; j++)
        parts[j] = most;
    for (; i + PARTS <= count; i += PARTS)
        for (int j = 0; j < PARTS; j++)
            parts[j] = x[i + j] > parts[j] ? x[i + j] : parts[j];
    for (; i < count; i++)
        most = x[i] > most ? x[i] : most;
    for (int j = 0; j < PARTS; j++)
        most = parts[j] > most ? parts[j] : most;
    return most;
}

INLINE real folded(const real *parts) {
    real total = 0;
    for (int j = 0; j < PARTS; j++)
        total += parts[j];
    return total;
}

INLINE real sum(const real *x, int64_t count) {
    real parts[PARTS] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + PARTS <= count; i += PARTS)
        for (int j = 0; j < PARTS; j++)
            parts[j] += x[i + j];
    for (; i < count; i++)
        rest += x[i];
    return folded(parts) + rest;
}

INLINE real sum_of_squares(const real *x, real center, int64_t count) {
    real parts[PARTS] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + PARTS <= count; i += PARTS)
        for (int j = 0; j < PARTS; j++)
            parts[j] += (x[i + j] - center) * (x[i + j] - center);
    for (; i < count; i++)
        rest += (x[i] - center) * (x[i] - center);
    return folded(parts) + rest;
}

static void softmax_row(const real *x, real *y, int64_t count) {
    const real most = greatest(x, count);
    for (int64_t i = 0; i < count; i++)
        y[i] = exponential(x[i] - most);
    const real total = sum(y, count);
    for (int64_t i = 0; i < count; i++)
        y[i] /= total;
}

/* n: features, rows of a sample, 1 for the logarithm of it */
static int64_t run_softmax(const call *job) {
    const real *x = job->from;
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; features && row < rows; row++, x += features, y += features) {
        if (!job->op->n[2]) {
            softmax_row(x, y, features);
            continue;
        }
        const real most = greatest(x, features);
        real total = 0;
        for (int64_t i = 0; i < features; i++)
            total += exponential(x[i] - most);
        const real shift = logarithm(total);
        for (int64_t i = 0; i < features; i++)
            y[i] = (x[i] - most) - shift;
    }
    return 0;
}

/* n: features, rows of a sample, 1 for numbers that stand alone; f: the temperature */
static int64_t run_temperature(const call *job) {
    const real *x = job->from, temperature = (real)job->op->f[0];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; features && row < rows; row++, x += features, y += features) {
        for (int64_t i = 0; i < features; i++)
            y[i] = logarithm(at_least(x[i], SMALLEST_NORMAL));
        if (job->op->n[2])
            for (int64_t i = 0; i < features; i++)
                y[i] = logistic((y[i] - logarithm(at_least(1 - x[i], HALF_EPSILON))) / temperature);
        else {
            for (int64_t i = 0; i < features; i++)
                y[i] /= temperature;
            softmax_row(y, y, features);
        }
    }
    return 0;
}

/* 1 / sqrt(mean of squares + epsilon); in double where squares overflow. */
INLINE real inverse_root(const real *x, real center, int64_t count, double epsilon) {
    const real squares = sum_of_squares(x, center, count);
    real inverse = 1 / (real)sqrt((double)(squares / (real)count + (real)epsilon));
    if (inverse == 0) {
        double total = 0;
        for (int64_t i = 0; i < count; i++)
            total += ((double)x[i] - (double)center) * ((double)x[i] - (double)center);
        inverse = (real)(1 / sqrt(total / (double)count + epsilon));
    }
    return inverse;
}

/* n: features, rows of a sample, 1 for a mean that is subtracted, rows until scale and shift (p0, p1) come again;
   f: epsilon */
static int64_t run_norm(const call *job) {
    const operation *op = job->op;
    const real *x = job->from, *scales = op->p[0], *shifts = op->p[1];
    real *y = job->to;
    const int64_t features = op->n[0], rows = job->samples * op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, y += features) {
        const real center = op->n[2] ? sum(x, features) / (real)features : 0;
        const real inverse = inverse_root(x, center, features, op->f[0]);
        const real *scale = scales + row % op->n[3] * features, *shift = shifts + row % op->n[3] * features;
        for (int64_t i = 0; i < features; i++)
            y[i] = (x[i] - center) * inverse * scale[i] + shift[i];
    }
    return 0;
}

/* Lines of numbers that lie apart: n: bytes of a line, lines, step between them in the input and in the output, and the
   offset of the first in each, all in bytes; size of a sample of the input and of the output. */
static int64_t run_copy(const call *job) {
    const int64_t *n = job->op->n;
    for (int64_t sample = 0; sample < job->samples; sample++) {
        const char *from = (const char *)job->from + sample * n[6] + n[4];
        char *to = (char *)job->to + sample * n[7] + n[5];
        for (int64_t line = 0; line < n[1]; line++)
            memcpy(to + line * n[3], from + line * n[2], (size_t)n[0]);
    }
    return 0;
}

/* n: outer, count, inner: the mean over the middle axis, or with n[3] the greatest; with a mask, which then has a number for
   n[4] of the middle axis, of what it leaves. A mean of none is 0, and so is the greatest of none that a mask leaves. */
static int64_t run_reduce(const call *job) {
    const int64_t *n = job->op->n, inner = n[2];
    const real *x = job->from;
    real *y = job->to;
    for (int64_t outer = 0; outer < job->samples * n[0]; outer++, x += n[1] * inner, y += inner) {
        const uint8_t *mask = job->mask ? job->mask + outer * (n[1] / n[4]) : NULL;
        int64_t left = 0;
        for (int64_t i = 0; i < inner; i++)
            y[i] = n[3] && !mask ? x[i] : 0;
        for (int64_t k = 0; k < n[1]; k++) {
            const real *line = x + k * inner;
            const int counts = !mask || mask[k / n[4]];
            if (!n[3])
                for (int64_t i = 0; i < inner; i++)
                    y[i] += counts ? line[i] : line[i] * 0; /* nan stays, as in modnet */
            else if (counts)
                for (int64_t i = 0; i < inner; i++)
                    y[i] = !left || line[i] > y[i] || line[i] != line[i] ? line[i] : y[i];
            left += counts;
        }
        if (!n[3] && left)
            for (int64_t i = 0; i < inner; i++)
                y[i] /= (real)left;
    }
    return 0;
}

/* Masks: for n[0] ids of a sample, whether they are not the padding, n[1]. */
static int64_t run_mask_of_ids(const call *job) {
    const int64_t *ids = job->from;
    uint8_t *y = job->to;
    for (int64_t i = 0; i < job->samples * job->op->n[0]; i++)
        y[i] = ids[i] != job->op->n[1];
    return 0;
}

/* For n[0] steps of n[1] numbers, whether one of them is not the padding, f. */
static int64_t run_mask_of_rows(const call *job) {
    const real *x = job->from, padding = (real)job->op->f[0];
    uint8_t *y = job->to;
    for (int64_t row = 0; row < job->samples * job->op->n[0]; row++, x += job->op->n[1]) {
        y[row] = 0;
        for (int64_t i = 0; i < job->op->n[1]; i++)
            y[row] |= x[i] != padding;
    }
    return 0;
}

/* Both of two masks of n[0] steps. */
static int64_t run_both_masks(const call *job) {
    const uint8_t *one = job->from, *other = job->beside;
    uint8_t *y = job->to;
    for (int64_t i = 0; i < job->samples * job->op->n[0]; i++)
        y[i] = one[i] & other[i];
    return 0;
}

/* The rows of p0 (n[1], n[2]) for n[0] ids of a sample; with p1 another row, p2, where an id's p1 is 0. */
static int64_t run_gather(const call *job) {
    const operation *op = job->op;
    const int64_t *ids = job->from, size = op->n[2];
    const real *table = op->p[0], *known = op->p[1], *other = op->p[2];
    real *y = job->to;
    for (int64_t i = 0; i < job->samples * op->n[0]; i++, y += size) {
        if (ids[i] < 0 || ids[i] >= op->n[1])
            return 1;
        const real *row = known && known[ids[i]] == 0 ? other : table + ids[i] * size;
        memcpy(y, row, (size_t)size * sizeof(real));
    }
    return 0;
}

/* n: features, bins, rows of a sample: (x - p0) * p1 + p2, at least p3, at most p4 */
static int64_t run_pieces(const call *job) {
    const operation *op = job->op;
    const real *x = job->from, *left = op->p[0], *slope = op->p[1], *offset = op->p[2], *least = op->p[3], *most = op->p[4];
    real *y = job->to;
    const int64_t features = op->n[0], bins = op->n[1], rows = job->samples * op->n[2];
    for (int64_t row = 0; row < rows; row++, x += features)
        for (int64_t f = 0; f < features; f++, y += bins)
            for (int64_t b = 0, i = f * bins; b < bins; b++, i++)
                y[b] = at_most(at_least((x[f] - left[i]) * slope[i] + offset[i], least[i]), most[i]);
    return 0;
}

/* A ratio of polynomials of eight coefficients each, from the constant up. */
static double ratio(const double *above, double r) {
    double numerator = 0, denominator = 0;
    for (int i = 7; i >= 0; i--) {
        numerator = numerator * r + above[i];
        denominator = denominator * r + above[8 + i];
    }
    return numerator / denominator;
}

/* Wichura's algorithm AS 241, with the coefficients of modnet_tabular/quantiles.py: centre, middle, far. */
static double normal_quantile(double share, const double *table, double farthest) {
    const double q = share - 0.5;
    double y;
    if (fabs(q) <= 0.425)
        y = q * ratio(table, 0.180625 - q * q);
    else {
        double tail = share < 1 - share ? share : 1 - share;
        const double r = sqrt(-log(tail < 1e-300 ? 1e-300 : tail));
        y = copysign(r <= 5 ? ratio(table + 16, r - 1.6) : ratio(table + 32, r - 5), q);
    }
    return y < -farthest ? -farthest : y > farthest ? farthest : y;
}

/* n: features, quantiles, rows of a sample; p0 the quantiles of each feature, p1 the table above; f: the farthest. */
static int64_t run_quantiles(const call *job) {
    const operation *op = job->op;
    const real *x = job->from;
    real *y = job->to;
    const int64_t features = op->n[0], count = op->n[1], rows = job->samples * op->n[2];
    for (int64_t i = 0; i < rows * features; i++) {
        const double *known = (const double *)op->p[0] + i % features * count, number = x[i];
        if (!(known[0] < known[count - 1])) {
            y[i] = 0;
            continue;
        }
        double share = number; /* nan stays */
        if (number <= known[0])
            share = 0;
        else if (number >= known[count - 1])
            share = 1;
        else if (number == number) {
            int64_t low = 0, high = count - 1; /* known[low] < number <= known[high] */
            while (high - low > 1) {
                const int64_t middle = (low + high) / 2;
                if (known[middle] < number)
                    low = middle;
                else
                    high = middle;
            }
            int64_t last = high; /* equal quantiles: the middle of them */
            while (known[high] == number && last + 1 < count && known[last + 1] == number)
                last++;
            share = known[high] == number ? 0.5 * (double)(high + last)
                                          : (double)low + (number - known[low]) / (known[high] - known[low]);
            share /= (double)(count - 1);
        }
        y[i] = (real)normal_quantile(share, op->p[1], op->f[0]);
    }
    return 0;
}

/* n: features, frequencies, 1 for cosines and sines: 2 pi p0 x + p1 */
static int64_t run_waves(const call *job) {
    const operation *op = job->op;
    const real *x = job->from, *frequency = op->p[0], *shift = op->p[1];
    real *y = job->to;
    const int64_t features = op->n[0], count = op->n[1];
    for (int64_t i = 0; i < job->samples * features; i++) {
        const int64_t first = i % features * count;
        for (int64_t k = 0; k < count; k++) {
            const real u = x[i] * frequency[first + k] + (shift ? shift[first + k] : 0);
#ifdef REAL64
            y[k] = cos(u);
            if (op->n[2])
                y[count + k] = sin(u);
#else
            y[k] = cosf(u);
            if (op->n[2])
                y[count + k] = sinf(u);
#endif
        }
        y += op->n[2] ? 2 * count : count;
    }
    return 0;
}
