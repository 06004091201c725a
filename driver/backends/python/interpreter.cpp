#include "driver/backends/python/interpreter.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "core/error.hpp"

namespace lightloop::python {
namespace {
using Object = void*;

/// Functions of Python's stable interface (its C API, PEP 384), found by name.
struct Api {
  int (*is_initialized)();
  void (*initialize)(int signal_handlers);
  void (*set_program_name)(const wchar_t*);  // may be absent
  void* (*save_thread)();
  int (*gil_ensure)();
  void (*gil_release)(int);
  Object (*import)(const char*);
  Object (*get_attribute)(Object, const char*);
  Object (*call)(Object, Object);
  Object (*tuple)(const char* format, ...);
  Object (*str)(Object);
  const char* (*utf8)(Object, std::ptrdiff_t*);
  void (*fetch_error)(Object*, Object*, Object*);
  void (*decref)(Object);

  template <class F>
  static bool look_up(void* library, F& function, const char* name) {
    function = reinterpret_cast<F>(::dlsym(library, name));
    return function != nullptr;
  }
  /// Whether `library` has all of it.
  bool look_up(void* library) {
    look_up(library, set_program_name, "Py_SetProgramName");
    return look_up(library, is_initialized, "Py_IsInitialized") && look_up(library, initialize, "Py_InitializeEx") &&
           look_up(library, save_thread, "PyEval_SaveThread") && look_up(library, gil_ensure, "PyGILState_Ensure") &&
           look_up(library, gil_release, "PyGILState_Release") && look_up(library, import, "PyImport_ImportModule") &&
           look_up(library, get_attribute, "PyObject_GetAttrString") && look_up(library, call, "PyObject_CallObject") &&
           look_up(library, tuple, "Py_BuildValue") && look_up(library, str, "PyObject_Str") &&
           look_up(library, utf8, "PyUnicode_AsUTF8AndSize") && look_up(library, fetch_error, "PyErr_Fetch") &&
           look_up(library, decref, "Py_DecRef");
  }
};

[[noreturn]] void missing(const std::string& what, const std::string& why) {
  throw Unsupported("python: devices", what, why,
                    "Build with python3-dev and pybind11-dev installed, or name a libpython in LIGHTLOOP_LIBPYTHON.");
}

/// The interpreter whose packages are used: that of an active virtual environment, else the one found at build time.
std::wstring program_name() {
  std::string name = LIGHTLOOP_PYTHON_PROGRAM;
  if (const char* venv = std::getenv("VIRTUAL_ENV"); venv != nullptr) {
    const std::string inside = std::string(venv) + "/bin/python3";
    std::error_code ignored;
    if (std::filesystem::exists(inside, ignored)) name = inside;
  }
  return std::filesystem::path(name).wstring();
}

Api start() {
  Api api = {};
  // A Python program has these functions itself, or has loaded them before us.
  if (api.look_up(RTLD_DEFAULT) && api.is_initialized() != 0) return api;
  const char* named = std::getenv("LIGHTLOOP_LIBPYTHON");
  const std::string library = named != nullptr && *named != '\0' ? named : LIGHTLOOP_LIBPYTHON_FILE;
  if (library.empty()) missing("no libpython", "none was found when Lightloop was built");
  // Global: extension modules such as numpy's take their symbols from it.
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    missing(library, why ? why : "it cannot be loaded");
  }
  if (!api.look_up(handle)) missing(library, "it is no libpython of version 3.9 or later");
  static const std::wstring program = program_name();  // Python keeps the pointer
  if (api.set_program_name != nullptr && !program.empty()) api.set_program_name(program.c_str());
  api.initialize(0);
  api.save_thread();
  return api;
}

/// The text of the exception that is set, which is cleared.
std::string fetched(const Api& api) {
  Object type = nullptr, value = nullptr, trace = nullptr;
  api.fetch_error(&type, &value, &trace);
  std::string text = "unknown error";
  if (Object shown = value != nullptr ? api.str(value) : nullptr; shown != nullptr) {
    if (const char* utf8 = api.utf8(shown, nullptr)) text = utf8;
    api.decref(shown);
  }
  for (Object one : {type, value, trace})
    if (one != nullptr) api.decref(one);
  return text;
}

/// Where the package lies beside the library of a build tree.
std::string package_folder() {
  Dl_info info = {};
  if (::dladdr(reinterpret_cast<void*>(&import_package), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto library = std::filesystem::canonical(info.dli_fname, ignored);
  const auto folder = library.parent_path() / "python";
  return std::filesystem::exists(folder / "lightloop" / "__init__.py", ignored) ? folder.string() : std::string();
}

/// sys.path.insert(0, folder)
void put_first(const Api& api, const std::string& folder) {
  Object sys = api.import("sys");
  Object path = sys ? api.get_attribute(sys, "path") : nullptr;
  Object insert = path ? api.get_attribute(path, "insert") : nullptr;
  Object arguments = insert ? api.tuple("(is)", 0, folder.c_str()) : nullptr;
  Object none = arguments ? api.call(insert, arguments) : nullptr;
  if (none == nullptr) fetched(api);
  for (Object one : {none, arguments, insert, path, sys})
    if (one != nullptr) api.decref(one);
}
}  // namespace

void import_package() {
  static std::mutex mutex;
  static bool imported = false;
  const std::lock_guard lock(mutex);
  if (imported) return;
  static const Api api = start();
  const int state = api.gil_ensure();
  if (const std::string folder = package_folder(); !folder.empty()) put_first(api, folder);
  Object package = api.import("lightloop._embedded");
  const std::string problem = package == nullptr ? fetched(api) : "";
  if (package != nullptr) api.decref(package);
  api.gil_release(state);
  if (!problem.empty())
    throw Unsupported("python: devices", "the package lightloop cannot be imported", problem,
                      "Install it (pip install .), or set PYTHONPATH to the folder it lies in.");
  imported = true;
}

}  // namespace lightloop::python
