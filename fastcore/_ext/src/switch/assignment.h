/* Which arm a key belongs to while a flag ramps: the place of murmur3_32(salt + ":" + key) in 0..2**32-1. */
#ifndef FASTCORE_SWITCH_ASSIGNMENT_H
#define FASTCORE_SWITCH_ASSIGNMENT_H

#include <Python.h>
#include <stdint.h>

/* The hash of "salt:" as far as it goes in blocks of four bytes, and the bytes left over. */
typedef struct {
    uint32_t hash;
    uint32_t rest; /* little-endian */
    int rest_size; /* 0..3 */
    size_t size;   /* of "salt:" */
} fc_salt;

/* 0, or -1 with an exception when `salt`, a str, has no UTF-8 form. */
int fc_salt_init(fc_salt *salt, PyObject *text);

/* The place of `key` into `place`; -1 with an exception for one that has no text of its own. */
int fc_place(const fc_salt *salt, PyObject *key, uint32_t *place);

/* 0 if `key` is None or may be a key, else -1 with an exception. */
int fc_check_key(PyObject *key);

/* A draw from this thread's own generator. */
uint32_t fc_random(void);

/* Gives the module the functions murmur3_32, bucket and belongs; -1 with an exception. */
int fc_assign_exec(PyObject *module);

#endif
