/* The kernels of one instruction set, in the order of list.h, and what their vectors were compiled to; ends with NULL. */
#include "indicators/kernels/kernel.h"
#include "indicators/kernels/list.h"
#include "indicators/kernels/vec.h"

#define DECLARE(name) extern const fc_kernel FC(kernel_##name);
FC_EACH_KERNEL(DECLARE)

#define ROW(name) &FC(kernel_##name),
const fc_kernel *const FC(kernels)[] = {FC_EACH_KERNEL(ROW) NULL};
const char FC(vectors)[] = FC_VEC_NAME;
