/* The call objects of @cached. */
#ifndef FASTCORE_CACHE_CACHED_CALL_H
#define FASTCORE_CACHE_CACHED_CALL_H

#include "cache/object.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    CacheObject *cache;
    PyObject *miss;   /* miss(args, kwargs or None, key or None) */
    PyObject *obey;   /* obey(): the flag may have changed */
    PyObject *binder; /* decides what access through an instance or class gives */
    PyObject *ready;  /* makes a hit awaitable; NULL: a hit is returned as it is */

    PyTypeObject *guard; /* the class of records, which `fresh` or else `miss` judges */
    PyTypeObject *tag;   /* the class of their tags */
    Py_ssize_t at_value, at_tags, at_look, at_valid;

    PyObject *names; /* of the positional parameters (None: positional-only), then of the keyword-only ones */
    Py_ssize_t npositional;
    PyObject *defaults; /* of all parameters, `missing` where there is none; NULL: not part of keys */
    PyObject *mark;     /* stands between positional and named arguments in a key */
    PyObject *missing;
    int typed;
    int keyed; /* a function of the caller's makes the keys */

    Py_ssize_t skip;     /* leading arguments that are not part of the key */
    PyTypeObject *owner; /* the class whose method it is; NULL: a function */
    PyObject *outside;   /* the function for calls whose first argument is no instance of `owner` */
    PyObject *instances; /* id of an instance -> its call object; NULL: instances share results */
    PyObject *route;     /* the call object of the other twin that serves instead */
    uint64_t epoch;
    PyObject *dict;
    PyObject *weakrefs;
} CachedCall;

/* key.c: a new reference, or NULL without an exception where the key is not for C to make. */
PyObject *fc_call_key(const CachedCall *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);

/* bound_call.c */
extern PyTypeObject FcBoundCall_Type;
PyObject *fc_bound_new(CachedCall *call, PyObject *instance);

/* cached_call.c */
extern PyTypeObject FcCachedCall_Type, FcCachedMethod_Type;
PyObject *fc_call_flag_changed(PyObject *module, PyObject *ignored);

#endif
