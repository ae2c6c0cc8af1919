/* Client requests to callgrind: what runs between `begin` and `end` is counted, and written under a name.

   Once begun, callgrind goes on: to stop it would throw its translations away, which takes far longer than what is
   counted. */
#include <valgrind/callgrind.h>

void begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void end(const char *name)
{
    CALLGRIND_DUMP_STATS_AT(name);
}
