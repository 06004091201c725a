# LIGHTLOOP_PYTHON_EXECUTABLE: the interpreter of every test and script. Debian's own unless somebody names another
# (-DPython_EXECUTABLE=..., or an active virtual environment): the first python3 on PATH may be one without numpy.
if(Python_EXECUTABLE)
  set(found ${Python_EXECUTABLE})
elseif(DEFINED ENV{VIRTUAL_ENV} AND EXISTS $ENV{VIRTUAL_ENV}/bin/python3)
  set(found $ENV{VIRTUAL_ENV}/bin/python3)
elseif(EXISTS /usr/bin/python3)
  set(found /usr/bin/python3)
else()
  find_program(found python3)
endif()
set(LIGHTLOOP_PYTHON_EXECUTABLE ${found} CACHE FILEPATH "Python for tests and scripts")
unset(found)

# LIGHTLOOP_LIBPYTHON: what a program that is not Python loads when it opens a python: device. Nothing is linked with it.
if(NOT DEFINED LIGHTLOOP_LIBPYTHON)
  execute_process(COMMAND ${LIGHTLOOP_PYTHON_EXECUTABLE} -c
    "import os, sysconfig; v = sysconfig.get_config_var; print(os.path.join(v('LIBDIR'), v('INSTSONAME')))"
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT EXISTS "${found}" OR NOT found MATCHES "\\.so")
    message(STATUS "no shared libpython found: the command cannot open python: devices (install python3-dev)")
    set(found "")
  endif()
  set(LIGHTLOOP_LIBPYTHON "${found}" CACHE FILEPATH "Shared libpython, loaded when a python: device is opened")
  unset(found)
endif()
