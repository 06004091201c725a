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
