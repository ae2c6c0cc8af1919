/* The compiled twin of the caches. */
#include "cache_object.h"

static int module_exec(PyObject *module) {
    if (fc_types_ready(module) < 0 || PyType_Ready(&FcCachedCall_Type) < 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "CachedCall", (PyObject *)&FcCachedCall_Type);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastcore._ext.cache",
    .m_doc = "The compiled twin of the caches; import fastcore.cache.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit_cache(void) {
    return PyModuleDef_Init(&module_definition);
}
