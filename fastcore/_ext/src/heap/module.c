/* The compiled twin of the heap: the module and its types. */
#include "heap/types.h"

#include "common/forks.h"
#include "common/imports.h"

Shared shared;

/* asyncio takes longer to import than everything here. */
int shared_load_asyncio(void) {
    if (shared.queue_shutdown) {
        return 0;
    }
    Py_XSETREF(shared.queue_empty, fc_import_attribute("asyncio", "QueueEmpty"));
    Py_XSETREF(shared.queue_full, fc_import_attribute("asyncio", "QueueFull"));
    if (!shared.queue_empty || !shared.queue_full) {
        return -1;
    }
    shared.queue_shutdown = fc_import_attribute("python_fallback.shared.queue_shutdown", "QueueShutDown");
    return shared.queue_shutdown ? 0 : -1;
}

/* Its base is a class in Python: what is done alike in both twins, and rarely, is written there once. */
static int add_type(PyObject *module, PyType_Spec *spec, const char *name, const char *surface, const char *where) {
    PyObject *base = fc_import_attribute(where, surface);
    PyObject *type = base ? PyType_FromModuleAndSpec(module, spec, base) : NULL;
    PyObject *path = PyUnicode_FromString("heap");
    int failed = !type || !path || PyObject_SetAttrString(type, "_public_path", path) < 0 ||
                 PyModule_AddObjectRef(module, name, type) < 0;
    Py_XDECREF(base);
    Py_XDECREF(path);
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

/* The hook of an earlier module object serves too: all heaps are in one list. */
static int follow_forks(PyObject *module) {
    static int done;
    if (!done && fc_follow_forks(module, "_after_fork") < 0) {
        return -1;
    }
    done = 1;
    return 0;
}

static int exec(PyObject *module) {
    if (!(shared.empty = fc_import_attribute("queue", "Empty")) ||
        !(shared.full = fc_import_attribute("queue", "Full")) ||
        !(shared.shutdown = fc_import_attribute("python_fallback.shared.heap", "ShutDown")) ||
        !(shared.entry = fc_import_attribute("python_fallback.shared.heap", "Entry"))) {
        return -1;
    }
    if (async_queue_ready(module) < 0) {
        return -1;
    }
    if (add_type(module, &priority_heap_spec, "PriorityHeap", "HeapMixin", "python_fallback.shared.heap") < 0 ||
        add_type(module, &priority_queue_spec, "PriorityQueue", "QueueMixin", "python_fallback.shared.heap") < 0 ||
        add_type(module, &async_queue_spec, "AsyncPriorityQueue", "AsyncMixin", "python_fallback.shared.heap_async") <
            0) {
        return -1;
    }
    return follow_forks(module);
}

static PyMethodDef functions[] = {
    {"_after_fork", heap_after_fork, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
#ifdef Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastcore._ext.heap",
    .m_doc = "The compiled twin of the heap; import fastcore.heap.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_heap(void) { return PyModuleDef_Init(&definition); }
