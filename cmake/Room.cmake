# lightloop_room(NAME SOURCES ... TESTS ... BENCHMARKS ...): one folder = one object library, its tests and its benchmarks.
# File names are relative to the folder; object libraries are joined into liblightloop by Library.cmake.
add_library(lightloop_flags INTERFACE)
target_include_directories(lightloop_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated
  ${PROJECT_SOURCE_DIR}/driver/backends/plugin/include)
target_compile_options(lightloop_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>   # GCC 12 warns of every "text" + std::string&& (its bug 105651)
  $<$<BOOL:${LIGHTLOOP_WERROR}>:-Werror>
  $<$<BOOL:${LIGHTLOOP_NATIVE}>:-march=native>
  -fno-math-errno -fno-trapping-math)   # both are safe; -ffast-math is not (it breaks NaN checks and determinism)
if(LIGHTLOOP_SANITIZE)
  target_compile_options(lightloop_flags INTERFACE -fsanitize=${LIGHTLOOP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    # a quarter of the build's time, for what the address sanitizer, or clang under tools/fuzz.sh where bytes are read, finds too
    $<$<CXX_COMPILER_ID:GNU>:-fno-sanitize=null,alignment,object-size,vptr>
    $<$<BOOL:$<TARGET_PROPERTY:LIGHTLOOP_IS_TEST>>:-fno-sanitize=undefined>   # the library's behaviour is what is looked at
    # GCC 12 with sanitizers takes Catch2 and its own AVX-512 intrinsics for uninitialised (its bugs 105562, 105593); builds
    # without them look for that
    $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(lightloop_flags INTERFACE -fsanitize=${LIGHTLOOP_SANITIZE})
endif()
target_include_directories(lightloop_flags SYSTEM INTERFACE
  ${TOMLPLUSPLUS_INCLUDE_DIR} ${HDF5_INCLUDE_DIRS})
target_link_libraries(lightloop_flags INTERFACE Eigen3::Eigen Boost::headers Threads::Threads)

# lightloop_precompile(TARGET HEADERS ...): what most sources include is read once. GCC 12 then no longer knows headers as the
# system's and warns of what it sees inside std::string, and inside Eigen where the processor has AVX-512 (its bug 105593): so not for
# the library as users have it, and without those warnings.
function(lightloop_precompile target)
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/often.hpp ${ARGN})
endfunction()
# Beside a precompiled header ccache knows a source again only where it is told that macros of that header and of time are no reason
# not to; clang must not ask when the files in it were written.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache$")
  list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros)
  target_compile_options(lightloop_flags INTERFACE
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>)
endif()

function(lightloop_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;TESTS;BENCHMARKS")
  if(room_SOURCES)
    add_library(lightloop_${name} OBJECT ${room_SOURCES})
    target_link_libraries(lightloop_${name} PUBLIC lightloop_flags)
    if(LIGHTLOOP_SANITIZE)
      lightloop_precompile(lightloop_${name})
    endif()
    set_property(GLOBAL APPEND PROPERTY LIGHTLOOP_ROOMS lightloop_${name})
  endif()
  # tests and benchmarks link the finished library, so they are remembered and made in tests/CMakeLists.txt
  list(TRANSFORM room_TESTS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(TRANSFORM room_BENCHMARKS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL PROPERTY LIGHTLOOP_TESTS_${name} ${room_TESTS})
  set_property(GLOBAL PROPERTY LIGHTLOOP_BENCHMARKS_${name} ${room_BENCHMARKS})
  set_property(GLOBAL APPEND PROPERTY LIGHTLOOP_ROOM_NAMES ${name})
endfunction()

# lightloop_part(TARGET ROOM INCLUDE EXCLUDE): the sources of a room whose path matches the one expression and not the other,
# compiled anew for a target that looks at a part of the library only.
function(lightloop_part target room include exclude)
  get_target_property(files lightloop_${room} SOURCES)
  get_target_property(folder lightloop_${room} SOURCE_DIR)
  list(FILTER files INCLUDE REGEX "${include}")
  list(FILTER files EXCLUDE REGEX "${exclude}")
  foreach(file IN LISTS files)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${folder})
    target_sources(${target} PRIVATE ${file})
    if(file MATCHES "\\.pb\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS -w)  # not ours to mend
      add_dependencies(${target} lightloop_remote_messages)
    endif()
  endforeach()
endfunction()

# lightloop_words(OUT TEMPLATE words...): writes generated/OUT from a list of words. @DECLARATIONS@ and @CALLS@ are filled by
# the line formats DECLARATION and CALL, in which % stands for the word.
function(lightloop_words template out declaration call)
  set(DECLARATIONS "")
  set(CALLS "")
  foreach(word IN LISTS ARGN)
    string(REPLACE "%" "${word}" line "${declaration}")
    string(APPEND DECLARATIONS "${line}\n")
    string(REPLACE "%" "${word}" line "${call}")
    string(APPEND CALLS "${line}\n")
  endforeach()
  configure_file(${template} ${out} @ONLY)
endfunction()
