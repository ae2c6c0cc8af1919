/* The operators of one instruction set, in the order of list.h; ends with NULL. */
#include "indicators/operators/list.h"
#include "indicators/operators/operator.h"

#define DECLARE(name) extern const fc_operator FC(operator_##name);
FC_EACH_OPERATOR(DECLARE)

#define ROW(name) &FC(operator_##name),
const fc_operator *const FC(operators)[] = {FC_EACH_OPERATOR(ROW) NULL};
