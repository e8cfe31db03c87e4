// The constants of the toolkit's math_constants.h that kernels use.

#pragma once

#include <limits>
#include <numbers>

#define CUDART_INF_F (::std::numeric_limits<float>::infinity())
#define CUDART_NAN_F __int_as_float(0x7fffffff)
#define CUDART_MIN_DENORM_F 0x1p-149f
#define CUDART_MAX_NORMAL_F 0x1.fffffep127f
#define CUDART_NEG_ZERO_F (-0.0f)
#define CUDART_ZERO_F 0.0f
#define CUDART_ONE_F 1.0f
#define CUDART_SQRT_HALF_F (::std::numbers::sqrt2_v<float> / 2)
#define CUDART_SQRT_TWO_F (::std::numbers::sqrt2_v<float>)
#define CUDART_THIRD_F (1.0f / 3)
#define CUDART_PI_F (::std::numbers::pi_v<float>)
#define CUDART_PIO4_F (::std::numbers::pi_v<float> / 4)
#define CUDART_PIO2_F (::std::numbers::pi_v<float> / 2)
#define CUDART_3PIO4_F (static_cast<float>(CUDART_3PIO4))
#define CUDART_2_OVER_PI_F (static_cast<float>(CUDART_2_OVER_PI))
#define CUDART_SQRT_2_OVER_PI_F (static_cast<float>(CUDART_SQRT_2OPI))
#define CUDART_L2E_F (::std::numbers::log2e_v<float>)
#define CUDART_L2T_F (static_cast<float>(CUDART_L2T))
#define CUDART_LG2_F (static_cast<float>(CUDART_LG2))
#define CUDART_LGE_F (::std::numbers::log10e_v<float>)
#define CUDART_LN2_F (::std::numbers::ln2_v<float>)
#define CUDART_LNT_F (::std::numbers::ln10_v<float>)
#define CUDART_LNPI_F (static_cast<float>(CUDART_LNPI))
#define CUDART_TWO_TO_M126_F 0x1p-126f
#define CUDART_TWO_TO_126_F 0x1p126f
#define CUDART_NORM_HUGE_F 0x1.fffffep127f
#define CUDART_TWO_TO_23_F 0x1p23f
#define CUDART_TWO_TO_24_F 0x1p24f
#define CUDART_TWO_TO_31_F 0x1p31f
#define CUDART_TWO_TO_32_F 0x1p32f

#define CUDART_INF (::std::numeric_limits<double>::infinity())
#define CUDART_NAN __longlong_as_double(static_cast<long long>(0xfff8000000000000))
#define CUDART_NEG_ZERO (-0.0)
#define CUDART_MIN_DENORM 0x1p-1074
#define CUDART_ZERO 0.0
#define CUDART_ONE 1.0
#define CUDART_SQRT_TWO (::std::numbers::sqrt2)
#define CUDART_SQRT_HALF (::std::numbers::sqrt2 / 2)
#define CUDART_THIRD (1.0 / 3)
#define CUDART_TWOTHIRD (2.0 / 3)
#define CUDART_PI (::std::numbers::pi)
#define CUDART_PIO4 (::std::numbers::pi / 4)
#define CUDART_PIO2 (::std::numbers::pi / 2)
#define CUDART_3PIO4 2.356194490192344928846982537459627
#define CUDART_2_OVER_PI (2 * ::std::numbers::inv_pi)
#define CUDART_SQRT_2PI 2.506628274631000502415765284811045
#define CUDART_SQRT_2OPI 0.797884560802865355879892119868763
#define CUDART_L2E (::std::numbers::log2e)
#define CUDART_L2T 3.321928094887362347870319429489390
#define CUDART_LG2 0.301029995663981195213738894724493
#define CUDART_LGE (::std::numbers::log10e)
#define CUDART_LN2 (::std::numbers::ln2)
#define CUDART_LNT (::std::numbers::ln10)
#define CUDART_LNPI 1.144729885849400174143427351353058
#define CUDART_TWO_TO_23 0x1p23
#define CUDART_TWO_TO_52 0x1p52
#define CUDART_TWO_TO_53 0x1p53
#define CUDART_TWO_TO_54 0x1p54
#define CUDART_TWO_TO_M54 0x1p-54
#define CUDART_TWO_TO_M1022 0x1p-1022
