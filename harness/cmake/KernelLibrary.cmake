# Flags of kernel code: what a sanitizer or a fuzzer instruments, and nothing exported by accident.
add_library(padproof_kernel_flags INTERFACE)
target_link_libraries(padproof_kernel_flags INTERFACE padproof_flags)
target_compile_options(padproof_kernel_flags INTERFACE
  -fvisibility=hidden $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-pragmas>)
# g++'s assembler wonders at the section of raw __shared__ arrays of templates; it is meant so.
target_compile_options(padproof_kernel_flags INTERFACE
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wa,--no-warn>)
if(PADPROOF_FUZZ)
  # The targets edit cases field by field: what a kernel compares guides no edit, and to record it is a
  # third of all time under UBSan, whose checks are comparisons too.
  target_compile_options(padproof_kernel_flags INTERFACE
    ${PADPROOF_FUZZ_OPTIONS} -fno-sanitize-coverage=trace-cmp)
endif()

# What every such library brings: its list of rows, and the function that hands it out.
add_library(padproof_plugin OBJECT
  ${PROJECT_SOURCE_DIR}/harness/judge/kernel_registry.cc
  ${PROJECT_SOURCE_DIR}/harness/judge/plugin.cc)
target_link_libraries(padproof_plugin PRIVATE padproof_kernel_flags)
target_compile_options(padproof_plugin PRIVATE ${PADPROOF_KERNEL_OPTIONS})

# A shared library of kernels behind the C ABI: padproof_kernel_library(name directory sources...)
function(padproof_kernel_library name directory)
  add_library(${name} MODULE ${ARGN} $<TARGET_OBJECTS:padproof_plugin>)
  padproof_kernel_library_flags(${name} ${directory})
endfunction()

# The same of rows that are called on a fake device, for tests: padproof_fake_device_library(name sources...)
function(padproof_fake_device_library name)
  set(harness ${PROJECT_SOURCE_DIR}/harness)
  add_library(${name} MODULE ${ARGN}
    ${harness}/judge/kernel_registry.cc ${harness}/judge/plugin.cc ${harness}/base/check.cc
    ${harness}/device/testing/fake_device.cc)
  target_compile_definitions(${name} PRIVATE PADPROOF_DEVICE_PLUGIN)
  padproof_kernel_library_flags(${name} tests)
endfunction()

function(padproof_kernel_library_flags name directory)
  target_link_libraries(${name} PRIVATE padproof_kernel_flags)
  target_compile_options(${name} PRIVATE ${PADPROOF_KERNEL_OPTIONS})
  target_link_options(${name} PRIVATE -Wl,-Bsymbolic)
  set_target_properties(${name} PROPERTIES PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${directory})
endfunction()

# Of edited kernels, which run for a few cases each: compiling them is what they cost. -O1 rounds as -O2
# does, and compiles in two thirds of the time.
set(PADPROOF_EDITED_KERNEL_OPTIONS $<$<CONFIG:RelWithDebInfo>:-O1>)

# How to make a kernel library of one more source while the program runs: `padproof mutate` reads it.
# Its rows are called name~mutated. One file a language, since flags may depend on it.
function(padproof_write_kernel_recipe)
  set(name padproof_mutated)
  add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/harness/judge/plugin.cc)
  target_link_libraries(${name} PRIVATE padproof_kernel_flags padproof_simt)
  target_compile_options(${name} PRIVATE ${PADPROOF_KERNEL_OPTIONS} ${PADPROOF_EDITED_KERNEL_OPTIONS})
  target_link_options(${name} PRIVATE -Wl,-Bsymbolic)
  padproof_compile_cuda_as_cxx(${name})
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
  string(JOIN "\", \"" flags ${flags})
  foreach(property COMPILE_OPTIONS INCLUDE_DIRECTORIES COMPILE_DEFINITIONS LINK_OPTIONS)
    string(TOLOWER ${property} variable)
    set(${variable} "$<JOIN:$<TARGET_PROPERTY:${name},${property}>,\", \">")
  endforeach()
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/kernel_library.$<COMPILE_LANGUAGE>.json CONTENT
"{\"compiler\": \"${CMAKE_CXX_COMPILER}\",
 \"flags\": [\"-std=c++20\", \"-fPIC\", \"${flags}\"],
 \"options\": [\"${compile_options}\"],
 \"include\": [\"${include_directories}\"],
 \"define\": [\"${compile_definitions}\"],
 \"link\": [\"${link_options}\"],
 \"objects\": [\"$<JOIN:$<TARGET_OBJECTS:padproof_plugin>,\", \">\", \"$<TARGET_FILE:padproof_simt>\"]}
")
endfunction()
