/* A program: what a network is to this code. It is made by Python (program.py), which has the same layout. */

#define NUMBERS 16
#define ARRAYS 6
#define FACTORS 4

typedef struct {
    int64_t code;
    int64_t from, beside, to;   /* slots: input, second input or -1, output */
    int64_t mask;               /* the slot of the mask of the first input, or -1 */
    int64_t n[NUMBERS];         /* sizes and offsets, which each operation names */
    const void *p[ARRAYS];      /* weights and tables */
    double f[FACTORS];          /* factors */
} operation;

typedef struct {
    int64_t external; /* which of the caller's arrays it is, or -1 for a place in the workspace */
    int64_t offset;   /* in the workspace, in bytes */
    int64_t size;     /* of one sample, in bytes */
} slot;

typedef struct {
    const operation *operations;
    const slot *slots;
    int64_t operation_count, slot_count;
    int64_t block; /* the most samples that pass through all operations together */
} program;

/* What an operation sees: its numbers and the arrays of this block of samples. */
typedef struct {
    const operation *op;
    int64_t samples;
    char *workspace;
    const void *from, *beside;
    void *to;
    const uint8_t *mask; /* for each step of each sample whether it counts; NULL if all do */
} call;

/* An operation of a layer that brings its own C has this form. It gives 0, or the number of a fault. */
typedef int64_t (*own_operation)(const call *job);
