/* What an operator is: a node of a program carries one out.
 *
 * `block` takes clean data, many bars at a time; `step` takes one bar, and the caller has looked whether it is there. A
 * map has no memory: missing values run through it. A window's `block` has no memory either: it looks back into its
 * input. A recurrence's block keeps what it knows in `carry`, and gives NaN until it has a result.
 * What counts the values of its window is given missing ones too, in block and step; its carry is its state.
 *
 * A board carries an operator out for many symbols at a time. Without `across` each symbol has a state and is stepped by
 * itself; a map's block serves as it is. With `across` the states lie side by side in rows, so that the operator is a
 * loop over symbols that the compiler makes vectors of. It must give what `step` gives, to the last bit.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_OPERATOR_H
#define FASTCORE_INDICATORS_OPERATORS_OPERATOR_H

#include "indicators/kernels/stages.h"

#define FC_OP_IN 4
#define FC_OP_PAR 9
#define FC_NOT_FINITE UINT64_C(0x7FF0000000000000) /* the exponent: that of NaN too */
#define FC_INFINITE UINT64_C(0x7FFFFFFFFFFFFFFF)
#define FC_CHOOSES 16 /* results are values that are given, or small numbers: infinite only where an input is */
#define FC_INVENTS 32 /* a result may be NaN, or infinite, of which NaN is made then, where all inputs are moderate */
#define FC_SPREADING 288 /* bars: hardly any wider window lacks none where bars are missing here and there */
#define FC_CHAIN 6 /* averages of a chain at most */

typedef enum { FC_MAP, FC_LOOK_BACK, FC_REMEMBER, FC_COUNT } fc_kind;

/* What `across` keeps of symbols side by side: row r of symbol i is rows[r * pitch + i]. */
typedef struct {
    double *rows;
    ptrdiff_t pitch;
    int64_t *place;  /* of each symbol, which of its places comes next; NULL for an operator without places */
    int64_t *shared; /* the place of all of them, or -1 if each has its own; without places: 1 once all have begun */
} fc_lanes;

/* Exponential averages, each the next one's input, that nothing else reads but a sum of them: once all of them are seeded
 * they run as one operator. A bar's step, the one before less it, passes on to the next average as 1 - keep of s, where s
 * is the average's distance from its input before plus the step, and keep * s the distance after. Each s is kept over the
 * product of what the averages before pass on: `reach` of it is the distance. */
typedef struct {
    int node, last, stages; /* the first average, the node with the result, and how many averages */
    double keep[FC_CHAIN], reach[FC_CHAIN];
    double weight[FC_CHAIN + 1]; /* of the input and of each of these numbers in the result */
    /* What is left of each number when it was 1, all others were 0 and bars are equal: in the results that follow, and in
     * each number after a segment of 4, 8 and so on bars. */
    double result[FC_CHAIN][FC_SEGMENT], left[FC_SEGMENT / 4][FC_CHAIN][FC_CHAIN];
} fc_chain;

/* Block and checked of an operator that also does the work of those that make its first two inputs, or one of these: it is
 * given their inputs in place of what they make. */
typedef struct {
    const char *of[2]; /* the names of these; NULL: that input is given as it is */
    int (*block)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, double *scratch);
    int (*checked)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, uint64_t mask);
} fc_taking;

typedef struct fc_operator {
    const char *name;
    const char
        *par; /* kind of each parameter: p period (1 or more), d pair (2 or more), c count (0 or more), t ties (0 to
               2), f number */
    int n_in;
    fc_kind kind;
    unsigned char strict; /* of a map, bit j: no result is finite where input j is not; FC_CHOOSES, FC_INVENTS */
    unsigned char declines; /* bit j: block declines by itself when input j is not finite */
    fc_nan nan; /* in block of a window, up to FC_SPREADING bars */
    ptrdiff_t (*lag)(const double *par); /* bars of its inputs before the first result; NULL: none */
    ptrdiff_t (*scratch)(const double *par); /* doubles that block needs; NULL: none */
    /* n results, out[0] that of the bar at in[j][0]; a window reads from in[j][-lag] on. 1 if it declines, 0 if done. */
    int (*block)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, double *scratch);
    /* The same, and 1 if bits `mask` of a result, FC_NOT_FINITE or FC_INFINITE, are those of infinity; NULL: the caller
     * looks. */
    int (*checked)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, uint64_t mask);
    /* The block of the averages of a chain, whose carries are given. Returns how many bars it has done, or -1 if it
     * declines. out may be in. NULL: none. */
    ptrdiff_t (*chain)(const fc_chain *chain, void *const *carry, const double *in, double *out, ptrdiff_t n);
    ptrdiff_t many; /* bars that block is best given at a time; 0: any number */
    const fc_taking *taking; /* up to the one of no operators; NULL: none */
    size_t carry; /* bytes that block keeps; 0 bytes before the first bar unless begin says otherwise */
    void (*begin)(const double *par, void *carry);
    void (*skip)(void *kept, ptrdiff_t bars); /* of a carry or a state that is new: so many bars came before; or NULL */

    double (*step)(const double *par, void *state, const double *in, int commit); /* commit 0: the state stays */
    /* The state of step; NULL: none. It holds no addresses. */
    size_t (*size)(const double *par);
    void (*init)(const double *par, void *state);
    int (*valid)(const double *par, const void *state); /* may a state from outside be stepped? */
    void (*gap)(void *state); /* what a missing bar does; NULL: nothing */

    /* The next bar of n symbols, with what is missing as it comes: values that are not finite. It moves the places on. */
    void (*across)(const double *par, const fc_lanes *lanes, const double *const *in, double *out, ptrdiff_t n);
    int (*alone)(const double *par); /* whether it steps each symbol by itself nevertheless; NULL: it does not */
    ptrdiff_t (*rows)(const double *par);
    ptrdiff_t (*places)(const double *par); /* in which a window's bars take turns; NULL: none */
    double (*fresh)(const double *par, ptrdiff_t row); /* what a row holds before the first bar; NULL: NaN */
} fc_operator;

FC_INLINE double fc_or_missing(double x) { return x - x == 0.0 ? x : NAN; }

#endif
