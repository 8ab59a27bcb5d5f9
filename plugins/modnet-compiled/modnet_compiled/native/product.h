/* Matrix products in tiles that stay in registers.

   The weight (depth, columns) is packed into panels of PANEL columns, the last of which may have LANES: within a panel
   the columns of one row lie side by side, row after row, and missing columns are 0. A row of the input is made of
   pieces of equal length, each at an offset of its own: one for a linear layer, one for each line of a window of a
   convolution. Every number of the result is summed up in the same order, whatever the number of rows, so that what a row
   gives does not depend on the rows beside it. */

typedef struct {
    const real *input;       /* of the first row */
    int64_t input_step;      /* from row to row */
    const int64_t *offsets;  /* of the pieces */
    int64_t pieces, length;  /* their number, and the numbers in each */
    const real *first;       /* what the sums begin with: the bias, padded to whole panels, or rows of numbers */
    int64_t first_step;      /* from row to row; 0 for a bias */
    real *output;
    int64_t output_step;
    int rectified;           /* whether the output is max(sum, 0) */
} product;

INLINE void put(real *to, vec value, int64_t count) {
    if (count >= LANES)
        *(vec *)to = value;
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = value[i];
}

INLINE vec rectified(vec x) {
    vec zero = {0};
    typedef __typeof__(x < zero) mask;
    return (vec)((mask)x & ~(x < zero)); /* nan is not less than 0, and stays */
}

/* `rows` rows of `vectors` vectors, which all read one panel; both are known when this is compiled. */
INLINE void tile(const int rows, const int vectors, const product *job, int64_t row, int64_t column, int64_t columns,
                 const real *panel) {
    vec sums[MOST_ROWS][2];
    const real *input = job->input + row * job->input_step;
    const real *first = job->first + row * job->first_step + column;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sums[i][j] = *(const vec *)(first + i * job->first_step + j * LANES);
    const int64_t step = job->input_step, length = job->length;
    for (int64_t piece = 0; piece < job->pieces; piece++) {
        const real *from = input + job->offsets[piece];
        for (int64_t k = 0; k < length; k++) {
            vec weight[2];
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                weight[j] = *(const vec *)(panel + j * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
                for (int j = 0; j < vectors; j++)
                    sums[i][j] += from[i * step + k] * weight[j];
            panel += vectors * LANES;
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            vec value = job->rectified ? rectified(sums[i][j]) : sums[i][j];
            put(job->output + (row + i) * job->output_step + column + j * LANES, value, columns - column - j * LANES);
        }
}

/* One row, four panels at a time: enough sums at once to hide how long one takes. */
static void wide_row(const product *job, int64_t row, int64_t column, int64_t columns, const real *panel,
                     int64_t panel_size) {
    vec sums[8];
    const real *input = job->input + row * job->input_step, *first = job->first + row * job->first_step + column;
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        sums[j] = *(const vec *)(first + j * LANES);
    for (int64_t piece = 0; piece < job->pieces; piece++) {
        const real *from = input + job->offsets[piece];
        for (int64_t k = 0; k < job->length; k++) {
            const real number = from[k];
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
                sums[j] += number * *(const vec *)(panel + (j / 2) * panel_size + (j % 2) * LANES);
            panel += PANEL;
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        vec value = job->rectified ? rectified(sums[j]) : sums[j];
        put(job->output + row * job->output_step + column + j * LANES, value, columns - column - j * LANES);
    }
}

#define TILES(vectors)                                                                                                \
    static void tiles_##vectors(const product *job, int64_t rows, int64_t column, int64_t columns,                    \
                                const real *panel) {                                                                  \
        int64_t count = (rows + MOST_ROWS - 1) / MOST_ROWS, row = 0;                                                  \
        for (; count > 0; count--) { /* of nearly equal height, so that none is too low to be fast */                 \
            int64_t height = (rows - row + count - 1) / count;                                                        \
            switch (height) {                                                                                         \
            case 1: tile(1, vectors, job, row, column, columns, panel); break;                                        \
            case 2: tile(2, vectors, job, row, column, columns, panel); break;                                        \
            case 3: tile(3, vectors, job, row, column, columns, panel); break;                                        \
            case 4: tile(4, vectors, job, row, column, columns, panel); break;                                        \
            case 5: tile(5, vectors, job, row, column, columns, panel); break;                                        \
            case 6: tile(6, vectors, job, row, column, columns, panel); break;                                        \
            case 7: tile(7 < MOST_ROWS ? 7 : MOST_ROWS, vectors, job, row, column, columns, panel); break;            \
            default: tile(MOST_ROWS, vectors, job, row, column, columns, panel);                                      \
            }                                                                                                         \
            row += height;                                                                                            \
        }                                                                                                             \
    }
TILES(1)
TILES(2)

/* The rows of `job` times a packed weight. */
static void multiply(const product *job, int64_t rows, int64_t columns, const real *packed) {
    const int64_t panel_size = job->pieces * job->length * PANEL;
    int64_t column = 0;
    if (rows == 1)
        for (; columns - column > 3 * PANEL + LANES; column += 4 * PANEL, packed += 4 * panel_size)
            wide_row(job, 0, column, columns, packed, panel_size);
    for (; column < columns; column += PANEL, packed += panel_size) {
        if (columns - column > LANES)
            tiles_2(job, rows, column, columns, packed);
        else
            tiles_1(job, rows, column, columns, packed);
    }
}
