/* What runs: one indicator with its parameters, as a fused kernel or as a program of operators.
 *
 * Values are numbered: the inputs, then each node's result. A bar that lacks one of the inputs is missing as a whole, and
 * so is a result that lacks one of the outputs. Nothing here knows of Python.
 */
#ifndef FASTCORE_INDICATORS_PROGRAM_H
#define FASTCORE_INDICATORS_PROGRAM_H

#include "indicators/cpu.h"
#include "indicators/kernels/gap_passes.h"
#include "indicators/operators/operator.h"

#define FC_LINE 64 /* bytes of a cache line */
#define FC_MAX_NODES 10000
/* Of a program that steps with its values on the stack; others have them behind their state. */
#define FC_STEP_VALUES (400 + FC_MAX_IN)

typedef struct {
    /* What a batch asks of it for each tile, together: beside a tile's bars little more has room in L1. */
    ptrdiff_t from;                      /* the first bar that block is called for */
    size_t carry;                        /* where its carry is, in a batch's */
    int place[FC_OP_IN + 1];             /* the numbers of its inputs' places, and of its own: see fc_value */
    int back[FC_OP_IN];                  /* so many bars before its inputs are read */
    unsigned char n_in, idle, once;      /* inputs; whether there is nothing to do; whether its first tile is all */
    unsigned char starts;                /* whether an input is another one's value before, and a number at first */
    unsigned char checks, doubts; /* whether its operator looks at its results, and whether any input is doubtful */
    unsigned char doubtful[FC_OP_IN]; /* inputs whose values may not be finite although the program's inputs are */
    int (*block)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, double *scratch);
    int (*checked)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, uint64_t mask);
    const fc_operator *op;
    double par[FC_OP_PAR];

    const fc_taking *takes; /* how a batch has it do the work of those that make its first inputs, or NULL */
    int in[FC_OP_IN];
    ptrdiff_t first; /* the bar of its first result in clean data */
    size_t state; /* where its state is, in that of the program */
    int constant; /* whether it is one */
} fc_node;

typedef struct {
    ptrdiff_t first; /* the bar of its first value in clean data */
    int input, output, slot; /* where it is: one of these; the others are -1 */
    int earlier; /* for the value of a lag, or of after, that is no output: where it is read from; else -1 */
    ptrdiff_t bars; /* so many bars before */
    int place; /* the number of the input, output or slot where it is read: inputs first, then outputs, then slots */
    int checked; /* whether a node looks whether its bars are finite */
    int starts; /* whether it is `previous` with a number at the first bar, and is read where the earlier bars are */
    int taken; /* whether all that read it do the work of its node: it is nowhere in a batch */
} fc_value;

typedef struct fc_layer fc_layer; /* see layers.h */

typedef struct {
    char name[48]; /* cut off after that */
    int n_in, n_out;
    fc_policy policy;
    ptrdiff_t lookback;
    size_t size; /* of the state of its streaming form */

    const fc_kernel *kernel; /* a fused kernel with its parameters, or NULL */
    double par[FC_MAX_PAR];

    int n_nodes, n_values, n_slots;
    int busy; /* nodes that have something to do in a batch */
    fc_node *nodes;
    fc_value *values;
    int tile_slots;     /* how many slots the length of tiles goes by */
    ptrdiff_t *history; /* of each slot: earlier bars that are looked back to */
    int *outputs;
    ptrdiff_t *blank; /* of each output: the bars that are made missing at the beginning, whatever there is */
    ptrdiff_t *shown; /* of each input: 1 + n where its bars show that they are not finite, but for those before the
                         lookback and the last n; else 0 */
    int through; /* how fc_program_through() runs it; 0: not, as a NaN may change more than the result of its bar */
    /* Whether it has windows and yet is run so, as a NaN changes no result but those whose windows have it; and whether
     * all of these are NaN then: whatever input lacks a bar, the results of that bar and of the `lookback` next ones. */
    int windowed, exact;
    /* Whether inputs are looked at then for what is infinite, or with windows for what is not moderate; and whether results
     * are, for what is infinite. */
    int looks, doubts;
    int merged; /* whether its results are those of several indicators */
    int uneven; /* whether one of several results may be NaN although all bars are there: then the others are made so */
    int counted; /* whether no input need be looked at, as what reads them counts the values that are there */
    char *watched; /* of each output: whether, and how, it is looked at for that */
    size_t carry; /* bytes of what a batch keeps from tile to tile */
    int n_chains;
    fc_chain *chains; /* in the order of their nodes */
    int n_layers; /* 0 unless windows and recurrences follow each other and it can be run in layers */
    fc_layer *layers;
    ptrdiff_t scratch, longest; /* doubles that one operator needs at most; the longest look back */
    ptrdiff_t many; /* bars that an operator is best given at a time; 0: any number */
} fc_program;

/* What fc_program_through() looks at for what is infinite: the results, in which infinite inputs show, or the inputs; or
 * nothing, as the caller makes the results missing that lack a bar. */
enum { FC_RESULTS = 1, FC_INPUTS, FC_BLANKED };
/* How an output is watched: once it is there, or by the node that writes it. */
enum { FC_LOOKED_AT = 1, FC_CHECKED };

/* Where the first cache line in `room` begins: vectors stored from there on cross no line. */
FC_INLINE double *fc_on_line(void *room) {
    return (double *)(((uintptr_t)room + FC_LINE - 1) & ~(uintptr_t)(FC_LINE - 1));
}

FC_INLINE int fc_node_is(const fc_node *node, const char *name) { return !strcmp(node->op->name, name); }
FC_INLINE ptrdiff_t fc_lag_of(const fc_node *node) { return node->op->lag ? node->op->lag(node->par) : 0; }
/* A lag by another name is the value before, where there is nothing before the first. */
FC_INLINE int fc_is_lag(const fc_node *node) {
    return fc_node_is(node, "lag") || (fc_node_is(node, "previous") && node->par[0] != node->par[0]);
}

/* Whether it is a window whose results depend on the bar that it begins with: see operators/arg_extremes.c. */
FC_INLINE int fc_is_held(const fc_node *node) {
    return (fc_node_is(node, "since_highest") || fc_node_is(node, "since_lowest")) && node->par[1] == 2.0;
}

/* The operator of that name in an instruction set, or NULL. */
const fc_operator *fc_operator_named(const fc_isa *isa, const char *name);
/* Whether the operator can run with a parameter of that kind. */
int fc_operator_takes(char kind, double value);

/* A program of one kernel, whose parameters have been checked. NULL without memory. */
fc_program *fc_program_of_kernel(const fc_kernel *kernel, const double *par);
/* Room for a program of operators: the caller sets each node's op, par and in, and the outputs, each the value of a node of
 * its own. NULL without memory. */
fc_program *fc_program_new(const char *name, int n_in, int n_nodes, int n_out);
/* Works out all the rest; -1 without memory. */
int fc_program_finish(fc_program *p);
/* Finds the nodes that do the work of others; -1 without memory. */
int fc_program_set_taken(fc_program *p);
/* The values that node k reads in a batch, also for the nodes whose work it does; returns how many, FC_OP_IN at most. */
int fc_program_reads(const fc_program *p, int k, int *values);
/* Finds shown, counted, watched and through; -1 without memory. */
int fc_program_set_shown(fc_program *p);
/* Finds the chains; -1 without memory. */
int fc_program_set_chains(fc_program *p);
void fc_program_free(fc_program *p);

/* Whether any of n bars of `count` series, from bar `from` on, is further from 0 than `most`. */
int fc_any_beyond(double *const *series, int count, ptrdiff_t from, ptrdiff_t n, double most);

/* Doubles that batch needs beyond its outputs, for n bars. */
ptrdiff_t fc_program_scratch(const fc_program *p, ptrdiff_t n);
/* All n outputs from n bars, n > lookback, the first of which is bar `origin` of the series; 1 if it declines, which it
 * does when a value is not finite. `scratch` is at the beginning of a cache line. `remote` says whether the series are beyond
 * the caches. */
int fc_program_batch(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                     double *scratch, int remote);

/* The same of a program that is `through`, whose inputs may have NaN; 1 if it declines: something is infinite, or of one
 * with windows an input is not moderate. */
int fc_program_through(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch);

/* The streaming form; a state holds no addresses. See kernel.h. */
void fc_program_init(const fc_program *p, void *state);
/* Tells a state that is new how many bars came before. */
void fc_program_skip(const fc_program *p, void *state, ptrdiff_t bars);
int fc_program_valid(const fc_program *p, const void *state);
void fc_program_run(const fc_program *p, void *state, const double *const *in, double *const *out, ptrdiff_t n);
void fc_program_step(const fc_program *p, void *state, const double *in, double *out, int commit);
void fc_program_many(const fc_program *p, char *states, size_t stride, const int64_t *at, const double *const *in,
                     double *const *out, ptrdiff_t n);

#endif
