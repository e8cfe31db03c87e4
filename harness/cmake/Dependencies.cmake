# Third-party packages, all from the distribution except LibTorch (the pinned torch wheel).

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(rapidcheck REQUIRED)
find_package(GTest REQUIRED)

if(PADPROOF_TORCH AND NOT PADPROOF_SANITIZE)
  find_package(LibTorch QUIET)
  if(NOT LibTorch_FOUND)
    padproof_left_out("LibTorch kernels" "LibTorch not found" "harness/dev setup")
  endif()
endif()
if(PADPROOF_SANITIZE)
  padproof_left_out("LibTorch kernels" "sanitizer builds never link LibTorch" "the check preset")
elseif(NOT PADPROOF_TORCH)
  padproof_left_out("LibTorch kernels" "PADPROOF_TORCH is OFF" "cmake -DPADPROOF_TORCH=ON")
endif()

# nvcc: compiles and links the same .cu files for sm_90. CMake 3.25 does not know that nvcc 13 speaks
# C++20, hence the two options.
if(PADPROOF_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES 90)
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    set(PADPROOF_HAVE_CUDA ON)
  else()
    padproof_left_out("device build of the .cu kernels" "nvcc not found"
      "install the CUDA Toolkit 13 and put nvcc on PATH")
  endif()
else()
  padproof_left_out("device build of the .cu kernels" "PADPROOF_CUDA is OFF"
    "cmake -DPADPROOF_CUDA=ON")
endif()
