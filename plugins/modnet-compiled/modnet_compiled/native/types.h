/* The number type, and the vectors that a product is made of.

   -DREAL64 makes everything double. The width of vectors and how many of them a tile may hold follow from what the
   compiler says of the processor. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef REAL64
typedef double real;
typedef int64_t integer;
typedef uint64_t whole;
#else
typedef float real;
typedef int32_t integer;
typedef uint32_t whole;
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

/* A tile of a product is MOST_ROWS rows of two vectors; 32 registers hold more than 16 do. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define MOST_ROWS 8
#else
#define MOST_ROWS 6
#endif

#define LANES ((int64_t)(VECTOR_BYTES / sizeof(real)))
#define PANEL (2 * LANES)

typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE real of_bits(whole bits) {
    real found;
    memcpy(&found, &bits, sizeof found);
    return found;
}

INLINE whole bits_of(real x) {
    whole found;
    memcpy(&found, &x, sizeof found);
    return found;
}
