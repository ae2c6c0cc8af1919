/* Memory of large results, reused for later results once their arrays are freed.
 *
 * malloc hands large blocks back to the system, which takes them in page by page and zeroed again: with arrays of
 * 200,000 bars that took twice the time of the indicators, and threads waited for each other in it. */
#ifndef FASTCORE_INDICATORS_RESULT_POOL_H
#define FASTCORE_INDICATORS_RESULT_POOL_H

#include <Python.h>

#include <numpy/ndarraytypes.h>

#define FC_ROOM_FROM (128 << 10) /* bytes of an array: below, malloc keeps the memory itself */
#define FC_ROOM_TO (16 << 20)

/* The handler of arrays in this memory; they own it as any array does. */
extern PyDataMem_Handler fc_room;

/* -1 with an exception set on failure. */
int fc_room_ready(void);

#endif
