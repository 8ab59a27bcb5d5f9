/* Runs a whole program in one call. */
#include "types.h"
#include "functions.h"
#include "product.h"
#include "program.h"
#include "elementwise.h"
#include "rows.h"
#include "images.h"
#include "sequences.h"

/* n: rows of a sample, depth, columns, step between rows of the input and of the output, size of a sample of each, offset
   in each, 1 for relu; p0 the packed weight, p1 the bias, padded. */
static int64_t run_product(const call *job) {
    const int64_t *n = job->op->n, zero = 0;
    product part = {(const real *)job->from + n[7], n[3], &zero, 1, n[1], job->op->p[1], 0, (real *)job->to + n[8], n[4],
                    (int)n[9]};
    int64_t rows = n[0], repeated = job->samples;
    if (rows == 1) {
        part.input_step = n[5];
        part.output_step = n[6];
    }
    if (rows == 1 || (n[5] == rows * n[3] && n[6] == rows * n[4])) { /* all rows are equally far apart */
        rows *= repeated;
        repeated = 1;
    }
    for (int64_t i = 0; rows && i < repeated; i++, part.input += n[5], part.output += n[6])
        multiply(&part, rows, n[2], job->op->p[0]);
    return 0;
}

static int64_t run_own(const call *job) { return ((own_operation)job->op->p[ARRAYS - 1])(job); }

static const own_operation OPERATIONS[] = {
    run_product, run_convolution, run_depthwise, run_pool,   run_recurrent, run_activation, run_affine, run_affine_raw,
    run_clip,    run_prelu,       run_blend,     run_add,    run_multiply,  run_softmax,    run_temperature,
    run_norm,    run_copy,        run_reduce,    run_gather, run_pieces,    run_waves,      run_quantiles,
    run_mask_of_ids, run_mask_of_rows, run_both_masks, run_own};

/* Sends `samples` samples through a program, a block at a time, so that what lies between operations stays in the cache.
   `arrays` are the caller's, inputs and outputs. Gives 0, or the fault that an operation has found. */
int64_t modnet_run(const program *made, int64_t samples, void *const *arrays, char *workspace) {
    for (int64_t first = 0; first < samples; first += made->block) {
        const int64_t count = samples - first < made->block ? samples - first : made->block;
        for (int64_t i = 0; i < made->operation_count; i++) {
            const operation *op = made->operations + i;
            void *places[4] = {0};
            const int64_t numbers[4] = {op->from, op->beside, op->to, op->mask};
            for (int j = 0; j < 4; j++)
                if (numbers[j] >= 0) {
                    const slot *s = made->slots + numbers[j];
                    places[j] = s->external < 0 ? workspace + s->offset
                                                : (char *)arrays[s->external] + first * s->size;
                }
            const call job = {op, count, workspace, places[0], places[1], places[2], places[3]};
            const int64_t fault = OPERATIONS[op->code](&job);
            if (fault)
                return fault;
        }
    }
    return 0;
}

int64_t modnet_panel(void) { return PANEL; }
int64_t modnet_lanes(void) { return LANES; }
void modnet_activate(int64_t which, double a, double b, const real *x, real *y, int64_t count) {
    activate(which, (real)a, (real)b, x, y, count);
}
