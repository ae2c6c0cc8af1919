/* A cache object, and what its methods are made of. */
#ifndef FASTCORE_CACHE_OBJECT_H
#define FASTCORE_CACHE_OBJECT_H

#include "cache/clock.h"
#include "cache/table.h"

enum { FC_EXPIRED, FC_SIZE, FC_REPLACED, FC_EXPLICIT, FC_CAUSES };

/* Expired entries that one write drops at most, so that no write waits for all of them. */
#define FC_SWEEP 128

/* What a subclass overrides in Python. */
enum {
    FC_OWN_MISSING = 1,
    FC_OWN_POPITEM = 2,
    FC_OWN_GETSIZEOF = 4,
    FC_OWN_GETITEM = 8,
    FC_OWN_SETITEM = 16,
    FC_OWN_DELITEM = 32,
    FC_OWN_CONTAINS = 64
};

typedef struct {
    PyObject_HEAD
    fc_table table;
    uint64_t hits;
    uint64_t misses;
    PyObject *timer; /* NULL: the monotonic clock */
    int fine; /* the clock must be fine: some entry lives less than a second */
    int overrides;
    int evicting; /* a popitem() that runs now makes room */
    double max_weight;
    double max_count;
    double ttl; /* seconds */
    double scale; /* clock units in a second; 1e6 for datetime timers */
    uint64_t evictions[FC_CAUSES];
    PyObject *maxsize; /* as given */
    PyObject *max_bytes; /* as given; NULL: the sum of weights is bounded by maxsize */
    PyObject *ttl_given; /* as given; NULL: entries do not expire by default */
    PyObject *ttu;
    PyObject *getsizeof;
    PyObject *on_evict;
    PyObject *flights;
    PyObject *in_flight; /* the dict of `flights`, by key */
    PyObject *weakrefs;
} CacheObject;

/* Entries taken out of a table, kept until nothing of the cache is being changed. */
typedef struct {
    PyObject *key;
    PyObject *value;
    int cause;
} fc_victim;

typedef struct {
    fc_victim few[4];
    fc_victim *list;
    Py_ssize_t count;
    Py_ssize_t capacity;
} fc_victims;

void fc_victims_init(fc_victims *victims);
int fc_victims_reserve(fc_victims *victims, Py_ssize_t more);
void fc_victims_add(fc_victims *victims, PyObject *key, PyObject *value, int cause);
int fc_victims_release(fc_victims *victims, PyObject *on_evict);

/* timer.c */
PyObject *fc_cache_timer(const CacheObject *self); /* a new reference: it may replace itself */
int fc_cache_now(CacheObject *self, double *now); /* runs the timer */
int fc_cache_time(CacheObject *self, PyObject *time, double *now); /* runs conversions */
int fc_cache_seconds(PyObject *ttl, double *seconds, const char *name); /* runs conversions */

/* operations.c: every operation; those that may run Python code say so. */
enum { FC_REPLACE, FC_KEEP };

Py_hash_t fc_hash(PyObject *key);
int fc_cache_weigh(CacheObject *self, PyObject *value, double *weight); /* runs getsizeof */
int fc_cache_find(CacheObject *self, PyObject *key, Py_hash_t hash, int32_t *slot); /* runs the timer and __eq__ */
int fc_cache_store(CacheObject *self, PyObject *key, Py_hash_t hash, PyObject *value, double weight, double now,
                   double expires, int mode, PyObject *permit,
                   PyObject **kept); /* runs __eq__, popitem, on_evict, finalizers */
int fc_cache_disown_flight(CacheObject *self, PyObject *key); /* runs __eq__ */
int fc_cache_discard(CacheObject *self, PyObject *key, Py_hash_t hash, int only_live, PyObject **value, int *live);
int fc_cache_sweep(CacheObject *self, double now, Py_ssize_t most); /* runs on_evict, finalizers */
int fc_cache_evict_to(CacheObject *self, double weight, double count); /* runs on_evict, finalizers */
int fc_cache_shrink(CacheObject *self); /* runs popitem, on_evict, finalizers */
int fc_cache_clear(CacheObject *self, int report); /* runs on_evict, finalizers */
PyObject *fc_cache_pop_oldest(CacheObject *self);
PyObject *fc_cache_expire(CacheObject *self, double now);
PyObject *fc_cache_snapshot(CacheObject *self, int take);
PyObject *fc_cache_get(CacheObject *self, PyObject *key); /* new reference, or NULL with or without an exception */
PyObject *fc_cache_get_hashed(CacheObject *self, PyObject *key, Py_hash_t hash);
PyObject *fc_cache_mixin(const char *name); /* a function of python_fallback.shared.cache.mixin */

/* types.c */
extern PyTypeObject FcCache_Type, FcLRUCache_Type, FcTTLCache_Type, FcTLRUCache_Type;
extern PyMethodDef fc_cache_methods[]; /* methods.c */
extern PyMethodDef fc_cache_state_methods[]; /* state.c */
extern PyMappingMethods fc_cache_mapping;
extern PySequenceMethods fc_cache_sequence;
int fc_types_ready(PyObject *module);

/* Let what is being computed for a key (NULL: for every key) not be stored: before and after each change by a caller.
 * Before it, so that no older value is stored over the change; after it, as another computation may have begun. */
static inline int fc_cache_disown(CacheObject *self, PyObject *key) {
    if (FC_LIKELY(self->in_flight == NULL || PyDict_GET_SIZE(self->in_flight) == 0)) {
        return 0;
    }
    return fc_cache_disown_flight(self, key);
}

PyObject *fc_encode_cells(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* Whether the time is fc_clock's, so that reading it runs no Python code. */
static inline int fc_cache_by_clock(const CacheObject *self) {
    return FC_LIKELY(self->timer == NULL) && FC_LIKELY(!fc_time_replaced());
}

static inline int fc_is_cache(PyObject *object) { return PyObject_TypeCheck(object, &FcCache_Type); }

#endif
