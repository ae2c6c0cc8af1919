/* The build stamp of one extension, kept in the binary so that the loader can read it without loading it. */
#if defined(_MSC_VER)
__declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
__attribute__((used, visibility("default")))
#endif
const char fastcore_build_stamp[] = FASTCORE_STAMP;
