# Options of a padproof build, and the flags that every target of ours takes.

option(PADPROOF_TORCH "Build the LibTorch kernels if LibTorch is found" ON)
option(PADPROOF_CUDA "Compile the .cu kernels with nvcc too, if nvcc is found" ON)
option(PADPROOF_FUZZ "Link fuzz targets with libFuzzer (clang); otherwise they only replay" OFF)
# As OSS-Fuzz says it: the linker's name for an engine. Then the compiler's flags come from outside too,
# the instrumentation for that engine among them.
set(LIB_FUZZING_ENGINE "$ENV{LIB_FUZZING_ENGINE}" CACHE STRING "Fuzzing engine of the targets; libFuzzer if empty")
set(PADPROOF_FUZZING_ENGINE -fsanitize=fuzzer)
set(PADPROOF_FUZZ_OPTIONS -fsanitize=fuzzer-no-link)
if(LIB_FUZZING_ENGINE)
  set(PADPROOF_FUZZING_ENGINE ${LIB_FUZZING_ENGINE})
  set(PADPROOF_FUZZ_OPTIONS "")
endif()
option(PADPROOF_RACE "Compile the .cu kernels for the race checker of the SIMT layer" OFF)
set(PADPROOF_SANITIZE "" CACHE STRING "Sanitizers for kernels and harness, e.g. address,undefined")

# Arithmetic must not depend on the compiler: no contraction to fma, no fast-math.
add_library(padproof_flags INTERFACE)
target_include_directories(padproof_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(padproof_flags INTERFACE
  -ffp-contract=off -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers)  # rows and failures name only what they set
# MemorySanitizer must see every write of what it watches, and third-party libraries are built without
# it. So it watches kernels, and only programs that say on their borders what is written link them.
if(PADPROOF_SANITIZE MATCHES "memory")
  set(PADPROOF_KERNELS_ALONE ON)
  set(PADPROOF_KERNEL_OPTIONS -fsanitize=${PADPROOF_SANITIZE} -fsanitize-memory-track-origins)
elseif(PADPROOF_SANITIZE MATCHES "thread")
  set(PADPROOF_KERNELS_ALONE ON)
  set(PADPROOF_KERNEL_OPTIONS -fsanitize=${PADPROOF_SANITIZE})
elseif(PADPROOF_SANITIZE)
  target_compile_options(padproof_flags INTERFACE -fsanitize=${PADPROOF_SANITIZE})
  if(PADPROOF_SANITIZE MATCHES "undefined")
    # UBSan prints and goes on by itself: a report that ends no process would fail no test.
    target_compile_options(padproof_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
  target_link_options(padproof_flags INTERFACE -fsanitize=${PADPROOF_SANITIZE})
endif()

# What this build leaves out: "name|why|how to get it", printed at the end of configuration and
# compiled into `padproof doctor`.
set_property(GLOBAL PROPERTY PADPROOF_LEFT_OUT "")
function(padproof_left_out name why remedy)
  set_property(GLOBAL APPEND PROPERTY PADPROOF_LEFT_OUT "${name}|${why}|${remedy}")
endfunction()
function(padproof_print_left_out)
  get_property(rows GLOBAL PROPERTY PADPROOF_LEFT_OUT)
  set(PADPROOF_LEFT_OUT_ROWS "")
  foreach(row IN LISTS rows)
    string(REPLACE "|" ";" cells "${row}")
    list(GET cells 0 name)
    list(GET cells 1 why)
    list(GET cells 2 remedy)
    message(STATUS "padproof: left out: ${name} (${why}); to get it: ${remedy}")
    string(APPEND PADPROOF_LEFT_OUT_ROWS "    {\"${name}\", \"${why}\", \"${remedy}\"},\n")
  endforeach()
  configure_file(${PROJECT_SOURCE_DIR}/harness/cmake/build_info.h.in
    ${PROJECT_BINARY_DIR}/generated/build_info.h @ONLY)
endfunction()

# What makes a kernel call the race checker at every access: the calls of -fsanitize=thread, which the
# SIMT runtime answers, so that ThreadSanitizer itself is never linked. Only clang's driver, not
# its compiler, refuses to combine it with other sanitizers.
set(PADPROOF_RACE_OPTIONS "")
if(PADPROOF_RACE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(PADPROOF_RACE_OPTIONS
    -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 -Wno-tsan)
elseif(PADPROOF_RACE)
  set(PADPROOF_RACE_OPTIONS
    -Xclang -fsanitize=thread -mllvm -tsan-instrument-func-entry-exit=0)
endif()

# .cu files of `target` are C++ here: the SIMT header supplies CUDA's names.
function(padproof_compile_cuda_as_cxx target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-xc++> ${PADPROOF_RACE_OPTIONS})
endfunction()
