/* exp, log, tanh and their like, without branches, so that the compiler turns loops over them into vectors.

   Polynomials are Taylor's, long enough for the reduced range; tests hold the errors (a few units in the last place) and
   the edges: nan stays nan, infinities, overflow, subnormal results, -0. */

#ifdef REAL64
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to a whole number, which its lowest bits then are */
#define MANTISSA 52
#define BIAS 1023
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_LEAST (-746.0)
#define EXP_MOST 710.0
#define EXPM1_LEAST (-40.0)
#define TANH_MOST 20.0
#define LOGISTIC_MOST 707.782712893384
#define SMALLEST_NORMAL 2.2250738585072014e-308
#define HALF_EPSILON 1.1102230246251565e-16
#else
#define MAGIC 12582912.0f /* 1.5 * 2^23 */
#define MANTISSA 23
#define BIAS 127
#define LN2_HIGH 0.693359375f
#define LN2_LOW (-2.12194440e-4f)
#define EXP_LEAST (-104.0f)
#define EXP_MOST 89.0f
#define EXPM1_LEAST (-30.0f)
#define TANH_MOST 10.0f
#define LOGISTIC_MOST 86.72283905206835f
#define SMALLEST_NORMAL 1.17549435e-38f
#define HALF_EPSILON 5.9604645e-08f
#endif
#define LOG2_E ((real)1.4426950408889634074)
#define EXPM1_MOST ((real)60)

INLINE real absolute(real x) { return of_bits(bits_of(x) & ~((whole)1 << (8 * sizeof(real) - 1))); }

INLINE real with_sign_of(real x, real sign) {
    whole top = (whole)1 << (8 * sizeof(real) - 1);
    return of_bits((bits_of(x) & ~top) | (bits_of(sign) & top));
}

/* Comparisons with nan are false, so that nan is what these return where x is nan. */
INLINE real at_least(real x, real least) { return x < least ? least : x; }
INLINE real at_most(real x, real most) { return x > most ? most : x; }

/* x = n ln 2 + r with |r| <= ln 2 / 2; gives exp(r) - 1, and n in `power`. */
INLINE real reduced_expm1(real x, integer *power) {
    real shifted = x * LOG2_E + MAGIC;
    *power = (integer)(bits_of(shifted) - bits_of(MAGIC));
    real n = shifted - MAGIC;
    real r = (x - n * LN2_HIGH) - n * LN2_LOW;
#ifdef REAL64
    real p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
#else
    real p = 1.0f / 5040.0f;
#endif
    p = p * r + (real)(1.0 / 720.0);
    p = p * r + (real)(1.0 / 120.0);
    p = p * r + (real)(1.0 / 24.0);
    p = p * r + (real)(1.0 / 6.0);
    p = p * r + (real)0.5;
    return p * (r * r) + r;
}

INLINE real power_of_two(integer n) { return of_bits((whole)(n + BIAS) << MANTISSA); }

INLINE real exponential(real x) {
    integer n;
    real p = 1 + reduced_expm1(at_most(at_least(x, EXP_LEAST), EXP_MOST), &n);
    /* in two steps, since 2^n alone may be beyond the range where the result is not */
    integer half = n >> 1;
    whole first = ((whole)half + BIAS) << MANTISSA, second = ((whole)n - (whole)half + BIAS) << MANTISSA;
    return p * of_bits(first) * of_bits(second);
}

/* exp(x) - 1 for x up to 60. */
INLINE real exponential_less_one(real x) {
    integer n;
    real p = reduced_expm1(at_most(at_least(x, EXPM1_LEAST), EXPM1_MOST), &n);
    real scale = of_bits(((whole)n + BIAS) << MANTISSA);
    return scale * p + (scale - 1);
}

INLINE real hyperbolic_tangent(real x) {
    real e = exponential_less_one(2 * at_most(absolute(x), TANH_MOST));
    return with_sign_of(e / (e + 2), x);
}

INLINE real logistic(real x) { return 1 / (1 + exponential(at_most(-x, LOGISTIC_MOST))); }

/* 2 atanh(s), for |s| <= 1/3 */
INLINE real twice_arctangent(real s) {
    real z = s * s;
#ifdef REAL64
    real p = 1.0 / 35.0;
    p = p * z + 1.0 / 33.0;
    p = p * z + 1.0 / 31.0;
    p = p * z + 1.0 / 29.0;
    p = p * z + 1.0 / 27.0;
    p = p * z + 1.0 / 25.0;
    p = p * z + 1.0 / 23.0;
    p = p * z + 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
#else
    real p = 1.0f / 15.0f;
#endif
    p = p * z + (real)(1.0 / 13.0);
    p = p * z + (real)(1.0 / 11.0);
    p = p * z + (real)(1.0 / 9.0);
    p = p * z + (real)(1.0 / 7.0);
    p = p * z + (real)(1.0 / 5.0);
    p = p * z + (real)(1.0 / 3.0);
    return 2 * s + 2 * s * z * p;
}

INLINE real logarithm(real x) {
    int small = x < SMALLEST_NORMAL;
    real scaled = small ? x * power_of_two(MANTISSA + 2) : x;
    whole bits = bits_of(scaled), fraction = ((whole)1 << MANTISSA) - 1;
    integer n = (integer)(bits >> MANTISSA) - BIAS - (small ? MANTISSA + 2 : 0);
    real m = of_bits((bits & fraction) | ((whole)BIAS << MANTISSA));
    int high = m > (real)1.4142135623730951;
    m = high ? m * (real)0.5 : m;
    real power = (real)(n + (high ? 1 : 0));
    real y = power * LN2_HIGH + (twice_arctangent((m - 1) / (m + 1)) + power * LN2_LOW);
    y = x == (real)INFINITY ? x : y;
    y = x == 0 ? -(real)INFINITY : y;
    y = x < 0 ? (real)NAN : y;
    return x != x ? x : y;
}

/* log(1 + y) for 0 <= y <= 1 */
INLINE real logarithm_of_more(real y) { return twice_arctangent(y / (2 + y)); }

INLINE real softplus(real x) { return at_least(x, 0) + logarithm_of_more(exponential(-absolute(x))); }

/* The cumulative function of the standard normal distribution, by its upper tail: exp(-z^2 / 2) P(t) / (1 + z) with
   t = (z - 4.5) / (z + 4.5), and the coefficients that modnet/activations/gated.py explains. */
INLINE real normal_distribution(real x) {
#ifdef REAL64
    static const real tail[] = {
        0.46641865659290194,    -0.09445675888818722,   0.023842964769118454,   0.01892265666275088,
        -0.030376890965771113,  0.0226163104460836,     -0.01059108533717731,   0.002711246116676665,
        0.00011925569908570023, -0.00035300190972458584, 7.095203965488957e-05, 3.383567595736493e-05,
        -1.4895587821463646e-05, -3.5877582033965104e-06, 2.548949057992058e-06, 5.295445157327417e-07,
        -4.235529176437766e-07, -1.1128857560242381e-07, 6.33660541891372e-08,  2.5522903616386086e-08,
        -5.307041609609546e-09, -3.935973820915269e-09, -4.769207616896135e-10};
#define TERMS 23
#else
    static const real tail[] = {0.466418661f,   -0.0944567803f, 0.0238425253f,    0.0189234491f,  -0.0303697176f,
                                0.0226108773f, -0.0106336903f, 0.00271356325f, 0.000219882617f, -0.000313457144f};
#define TERMS 10
#endif
    real z = at_most(absolute(x), 39), t = (z - (real)4.5) / (z + (real)4.5), p = tail[TERMS - 1];
#pragma GCC unroll 32
    for (int i = TERMS - 2; i >= 0; i--)
        p = p * t + tail[i];
    p = p * exponential(z * z * (real)-0.5) / (z + 1);
    return x < 0 ? p : 1 - p;
}
