/* Operations that treat each number, or each feature, by itself. */

enum {
    IDENTITY, RELU, LEAKY_RELU, ELU, HARD_SIGMOID, HARD_SWISH, SIGMOID, TANH, SOFTPLUS, SILU, MISH, GELU, GELU_TANH,
    SMOOTH_CLIP
};

INLINE real mish(real x) {
    real e = exponential(at_most(x, 20)), n = e * (e + 2);
    return x * (n / (n + 2));
}

INLINE real gelu_by_tanh(real x) {
    return x * logistic((x * x * (real)0.044715 + 1) * x * (real)1.5957691216057308);
}

/* x / hypot(1, x / 3), without the overflow of a square */
INLINE real smooth_clip(real x) {
    real third = absolute(x) / 3, great = third > 1 ? third : 1, small = third > 1 ? 1 : third;
    real ratio = small / great;
    return x / (great * (real)sqrt(1 + ratio * ratio)) + (x - x); /* numpy's nan for an infinite x */
}

#define EACH(formula)                                                                                                 \
    for (int64_t i = 0; i < count; i++) {                                                                             \
        const real v = x[i];                                                                                          \
        y[i] = formula;                                                                                               \
    }                                                                                                                 \
    return;

static void activate(int64_t which, real a, real b, const real *x, real *y, int64_t count) {
    switch (which) {
    case RELU: EACH(at_least(v, 0))
    case LEAKY_RELU: EACH(v < v * a ? v * a : v)
    case ELU: EACH(b * (v > 0 ? v : a * exponential_less_one(v)))
    case HARD_SIGMOID: EACH(at_most(at_least(v + 3, 0), 6) / 6)
    case HARD_SWISH: EACH(v * (at_most(at_least(v + 3, 0), 6) / 6))
    case SIGMOID: EACH(logistic(v))
    case TANH: EACH(hyperbolic_tangent(v))
    case SOFTPLUS: EACH(softplus(v))
    case SILU: EACH(v * logistic(v))
    case MISH: EACH(mish(v))
    case GELU: EACH(v * normal_distribution(v))
    case GELU_TANH: EACH(gelu_by_tanh(v))
    case SMOOTH_CLIP: EACH(smooth_clip(v))
    default: EACH(v)
    }
}

static int64_t run_activation(const call *job) {
    const operation *op = job->op;
    activate(op->n[0], (real)op->f[0], (real)op->f[1], job->from, job->to, job->samples * op->n[1]);
    return 0;
}

/* For each feature: (x - p0) * p1 + p2. n: features, rows of a sample. */
static int64_t run_affine(const call *job) {
    const real *x = job->from, *center = job->op->p[0], *scale = job->op->p[1], *shift = job->op->p[2];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, y += features)
        for (int64_t i = 0; i < features; i++)
            y[i] = (x[i] - center[i]) * scale[i] + shift[i];
    return 0;
}

/* The same with numbers and centres in double, as they were given: x is what `from` of a raw input holds. */
static int64_t run_affine_raw(const call *job) {
    const double *x = job->from, *center = job->op->p[0], *scale = job->op->p[1];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, y += features)
        for (int64_t i = 0; i < features; i++)
            y[i] = (real)((x[i] - center[i]) * scale[i]);
    return 0;
}

/* For each feature: at least p0, at most p1. */
static int64_t run_clip(const call *job) {
    const real *x = job->from, *least = job->op->p[0], *most = job->op->p[1];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, y += features)
        for (int64_t i = 0; i < features; i++)
            y[i] = at_most(at_least(x[i], least[i]), most[i]);
    return 0;
}

/* For each feature: x where x > 0, p0 * x elsewhere. */
static int64_t run_prelu(const call *job) {
    const real *x = job->from, *alpha = job->op->p[0];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, y += features)
        for (int64_t i = 0; i < features; i++)
            y[i] = x[i] > 0 ? x[i] : alpha[i] * x[i];
    return 0;
}

/* For each feature: x + p0 * (y - x), with x `from` and y `beside`. */
static int64_t run_blend(const call *job) {
    const real *x = job->from, *other = job->beside, *share = job->op->p[0];
    real *y = job->to;
    const int64_t features = job->op->n[0], rows = job->samples * job->op->n[1];
    for (int64_t row = 0; row < rows; row++, x += features, other += features, y += features)
        for (int64_t i = 0; i < features; i++)
            y[i] = (other[i] - x[i]) * share[i] + x[i];
    return 0;
}

static int64_t run_add(const call *job) {
    const real *x = job->from, *z = job->beside;
    real *y = job->to;
    const int64_t count = job->samples * job->op->n[0];
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] + z[i];
    return 0;
}

static int64_t run_multiply(const call *job) {
    const real *x = job->from, *z = job->beside;
    real *y = job->to;
    const int64_t count = job->samples * job->op->n[0];
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] * z[i];
    return 0;
}
