/* Convolution and pooling of images (height, width, channels). */

typedef struct {
    int64_t height, width, channels;         /* of the input */
    int64_t rows, columns;                   /* of windows */
    int64_t kernel_rows, kernel_columns;
    int64_t row_step, column_step;           /* from window to window */
    int64_t row_gap, column_gap;             /* within a window */
    int64_t top, left;                       /* of the padding */
    int64_t scratch;                         /* where the padded image lies in the workspace, or -1 */
} windows;

/* What `n` of these operations begins with. */
INLINE windows windows_of(const operation *op) {
    const int64_t *n = op->n;
    return (windows){n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13]};
}

INLINE int64_t reach(int64_t count, int64_t step, int64_t kernel, int64_t gap) {
    return (count - 1) * step + (kernel - 1) * gap + 1;
}

/* The image within a margin of `fill`, as large as the windows reach; `width` becomes that of its lines. */
static const real *padded(const windows *w, const real *image, char *workspace, real fill, int64_t *width) {
    *width = w->width;
    if (w->scratch < 0)
        return image;
    const int64_t lines = reach(w->rows, w->row_step, w->kernel_rows, w->row_gap);
    *width = reach(w->columns, w->column_step, w->kernel_columns, w->column_gap);
    real *made = (real *)(workspace + w->scratch);
    const int64_t first = w->left > 0 ? w->left : 0, skipped = w->left < 0 ? -w->left : 0;
    int64_t seen = w->width - skipped;
    seen = seen < *width - first ? seen : *width - first;
    seen = seen > 0 ? seen : 0;
    for (int64_t line = 0; line < lines; line++) {
        real *to = made + line * *width * w->channels;
        const int64_t source = line - w->top, margin = first * w->channels;
        const int64_t inside = source >= 0 && source < w->height ? seen * w->channels : 0;
        const int64_t whole = *width * w->channels;
        if (inside) {
            for (int64_t i = 0; i < margin; i++)
                to[i] = fill;
            memcpy(to + margin, image + (source * w->width + skipped) * w->channels, (size_t)inside * sizeof(real));
            for (int64_t i = margin + inside; i < whole; i++)
                to[i] = fill;
        } else
            for (int64_t i = 0; i < whole; i++)
                to[i] = fill;
    }
    return made;
}

/* p0 the packed weights of each group, p1 the biases, padded, p2 the offsets of a window's pieces (made for this width);
   n[14]: output channels, n[15]: groups; f0: 1 for relu, f1: numbers from one group's weights to the next's. */
static int64_t run_convolution(const call *job) {
    const operation *op = job->op;
    const windows w = windows_of(op);
    const int64_t outputs = op->n[14], groups = op->n[15], own = outputs / groups, seen = w.channels / groups;
    const int64_t joined = w.column_gap == 1 && groups == 1; /* the elements of a window's line lie side by side */
    for (int64_t sample = 0; sample < job->samples; sample++) {
        int64_t width;
        const real *image = (const real *)job->from + sample * w.height * w.width * w.channels;
        image = padded(&w, image, job->workspace, 0, &width);
        real *y = (real *)job->to + sample * w.rows * w.columns * outputs;
        for (int64_t group = 0; group < groups; group++) {
            product part = {.input_step = w.column_step * w.channels,
                            .offsets = op->p[2],
                            .pieces = joined ? w.kernel_rows : w.kernel_rows * w.kernel_columns,
                            .length = joined ? w.kernel_columns * seen : seen,
                            .output_step = outputs,
                            .rectified = op->f[0] != 0};
            const int64_t panel_size = part.pieces * part.length * PANEL;
            const real *panel = (const real *)op->p[0] + group * (int64_t)op->f[1];
            for (int64_t column = 0; column < own; column += PANEL, panel += panel_size) {
                part.first = (const real *)op->p[1] + group * (own + PANEL) + column;
                for (int64_t row = 0; row < w.rows; row++) {
                    part.input = image + row * w.row_step * width * w.channels + group * seen;
                    part.output = y + row * w.columns * outputs + group * own + column;
                    if (own - column > LANES)
                        tiles_2(&part, w.columns, 0, own - column, panel);
                    else
                        tiles_1(&part, w.columns, 0, own - column, panel);
                }
            }
        }
    }
    return 0;
}

/* Each channel by itself: p0 (kernel rows, kernel columns, channels), p1 the bias; f0: 1 for relu. */
static int64_t run_depthwise(const call *job) {
    const operation *op = job->op;
    const windows w = windows_of(op);
    const real *weight = op->p[0], *bias = op->p[1];
    const int64_t channels = w.channels;
    for (int64_t sample = 0; sample < job->samples; sample++) {
        int64_t width;
        const real *image = (const real *)job->from + sample * w.height * w.width * channels;
        image = padded(&w, image, job->workspace, 0, &width);
        real *restrict y = (real *)job->to + sample * w.rows * w.columns * channels;
        for (int64_t row = 0; row < w.rows; row++)
            for (int64_t column = 0; column < w.columns; column++, y += channels) {
                const real *corner = image + (row * w.row_step * width + column * w.column_step) * channels;
                for (int64_t c = 0; c < channels; c++)
                    y[c] = bias[c];
                for (int64_t i = 0; i < w.kernel_rows; i++)
                    for (int64_t j = 0; j < w.kernel_columns; j++) {
                        const real *restrict x = corner + (i * w.row_gap * width + j * w.column_gap) * channels;
                        const real *restrict factor = weight + (i * w.kernel_columns + j) * channels;
                        for (int64_t c = 0; c < channels; c++)
                            y[c] += x[c] * factor[c];
                    }
                if (op->f[0] != 0)
                    for (int64_t c = 0; c < channels; c++)
                        y[c] = at_least(y[c], 0);
            }
    }
    return 0;
}

/* The greatest number of each window, or with n[14] the mean, with p0 the share of each window. */
static int64_t run_pool(const call *job) {
    const operation *op = job->op;
    const windows w = windows_of(op);
    const int64_t channels = w.channels, mean = op->n[14];
    const real *shares = op->p[0];
    for (int64_t sample = 0; sample < job->samples; sample++) {
        const real *image = (const real *)job->from + sample * w.height * w.width * channels;
        real *restrict y = (real *)job->to + sample * w.rows * w.columns * channels;
        for (int64_t row = 0; row < w.rows; row++)
            for (int64_t column = 0; column < w.columns; column++, y += channels) {
                const int64_t line = row * w.row_step - w.top, place = column * w.column_step - w.left;
                const int64_t first_line = line > 0 ? line : 0, first = place > 0 ? place : 0;
                int64_t end_line = line + w.kernel_rows, end = place + w.kernel_columns;
                end_line = end_line < w.height ? end_line : w.height;
                end = end < w.width ? end : w.width;
                for (int64_t c = 0; c < channels; c++)
                    y[c] = mean ? 0 : -(real)INFINITY;
                for (int64_t i = first_line; i < end_line; i++)
                    for (int64_t j = first; j < end; j++) {
                        const real *restrict x = image + (i * w.width + j) * channels;
                        if (mean)
                            for (int64_t c = 0; c < channels; c++)
                                y[c] += x[c];
                        else
                            for (int64_t c = 0; c < channels; c++)
                                y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c];
                    }
                if (mean)
                    for (int64_t c = 0; c < channels; c++)
                        y[c] *= shares[row * w.columns + column];
            }
    }
    return 0;
}
