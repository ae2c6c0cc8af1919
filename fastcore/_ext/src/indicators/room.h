/* Memory for a while: large blocks are those that results left, which the system need not map and clear again. */
#ifndef FASTCORE_INDICATORS_ROOM_H
#define FASTCORE_INDICATORS_ROOM_H

#include <stddef.h>

/* NULL without memory. */
void *fc_room_take(size_t bytes);
void fc_room_give(void *room);

#endif
