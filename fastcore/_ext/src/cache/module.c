/* The compiled twin of the caches. */
#include "cache/cached_call.h"

static int module_exec(PyObject *module) {
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {
        {"CachedCall", &FcCachedCall_Type}, {"CachedMethod", &FcCachedMethod_Type}, {"BoundCall", &FcBoundCall_Type}};
    if (fc_types_ready(module) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (PyType_Ready(types[i].type) < 0 ||
            PyModule_AddObjectRef(module, types[i].name, (PyObject *)types[i].type) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyMethodDef module_methods[] = {
    {"_flag_changed", fc_call_flag_changed, METH_NOARGS, NULL},
    {"encode_cells", FC_METHOD(fc_encode_cells), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastcore._ext.cache",
    .m_doc = "The compiled twin of the caches; import fastcore.cache.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit_cache(void) { return PyModuleDef_Init(&module_definition); }
