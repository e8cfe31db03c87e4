// LibTorch's TransformerEncoderLayer and TransformerEncoder of the C++ frontend: projections,
// attention, residual sums, norms and a feed-forward layer, with weights as they are initialised.
// What comes out is not attention's; that it does not depend on pads is asked all the same.
//
// A sequence is the slots of K, then those of Q: [K + tanh(V); Q], of width heads * dim, so that
// every operand has pads in it, and O is what the module gives in the slots of Q. V goes through a
// tanh, since it may be as large as 2^109, whose square no norm stands. Pads are told by
// src_key_padding_mask alone; src_mask is zeros or, under a causal mask, hides later slots.
//
// The C++ module has one path: no fast path, no norm_first; both masks reach every layer, whose
// attention is asked for its weights. A padded query is computed like any other, and the next layer
// multiplies its result by a weight of 0: a pad must stay finite through all layers. It is no
// number where its query sees no key: of a sequence of pads alone, and under src_mask in pads
// before the first token (pytorch/pytorch#41508), which the second layer takes to every token of
// the sequence; that row takes pads on the right alone, and no gradient.
//
// One NaN in the batch decides for all of it how the projections are computed: the module asks
// torch::equal(key, value) of one tensor, which is false where that holds a NaN, and then
// multiplies three times by a part of in_proj_weight instead of once by all of it. Where E is 4 or
// 5, say, the results of other sequences are other bits then. So the rows promise independence of
// sequences of numbers, in the stack of those that stay numbers through the first layer.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/transformercoder.h>
#include <torch/nn/modules/transformerlayer.h>

#include "kernels/torch_common.h"

namespace padproof {
namespace {

using torch::nn::AnyModule;
using torch_sdpa::Guarded;
using torch_sdpa::HeadsFirst;
using torch_sdpa::LossGradient;
using torch_sdpa::PaddedKeys;
using torch_sdpa::PaddedQueries;
using torch_sdpa::Store;
using torch_sdpa::StoreGradients;
using torch_sdpa::TimeFirst;
using torch_sdpa::View;

// ---- modules ------------------------------------------------------------------------------------

/// The global generator, from which modules draw their weights, seeded and afterwards as it was.
class SeededGenerator {
 public:
  SeededGenerator() : state_(Global().get_state()) { Global().set_current_seed(2017); }
  ~SeededGenerator() { Global().set_state(state_); }
  SeededGenerator(const SeededGenerator&) = delete;
  SeededGenerator& operator=(const SeededGenerator&) = delete;

 private:
  static at::Generator Global() { return at::detail::getDefaultCPUGenerator(); }
  const at::Tensor state_;
};

/// One layer, ReLU, as in evaluation.
AnyModule MakeLayer(int64_t embed, int64_t heads) {
  torch::nn::TransformerEncoderLayer layer(
      torch::nn::TransformerEncoderLayerOptions(embed, heads).dim_feedforward(2 * embed));
  layer->eval();
  return AnyModule(layer);
}

/// Two layers, GELU and a norm behind them, as in training without dropout.
AnyModule MakeStack(int64_t embed, int64_t heads) {
  const auto layer = torch::nn::TransformerEncoderLayerOptions(embed, heads)
                         .dim_feedforward(2 * embed)
                         .dropout(0)
                         .activation(torch::kGELU);
  torch::nn::LayerNorm norm(torch::nn::LayerNormOptions({embed}));
  torch::nn::TransformerEncoder stack(
      torch::nn::TransformerEncoderOptions(layer, /*num_layers=*/2).norm(AnyModule(norm)));
  stack->train();
  return AnyModule(stack);
}

// ---- one call -----------------------------------------------------------------------------------

struct Encoder {
  AnyModule (*make)(int64_t embed, int64_t heads);
  bool src_mask;

  bool operator==(const Encoder&) const = default;

  Status Forward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      if (args.seqlen_q == 0) return kOk;
      const at::NoGradGuard no_grad;
      const at::Tensor out = Encode(args, View(args.q, args.dtype), View(args.k, args.dtype),
                                    View(args.v, args.dtype));
      Store(out, args.o, args.dtype);
      return kOk;
    });
  }

  Status Backward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      if (args.seqlen_q + args.seqlen_k == 0) return kOk;
      at::Tensor q = View(args.q, args.dtype), k = View(args.k, args.dtype),
                 v = View(args.v, args.dtype);
      for (at::Tensor* leaf : {&q, &k, &v}) leaf->set_requires_grad(true);
      const auto gradients =
          torch::autograd::grad({Encode(args, q, k, v)}, {q, k, v}, {LossGradient(args)});
      const at::NoGradGuard no_grad;
      StoreGradients(gradients, args);
      return kOk;
    });
  }

 private:
  at::Tensor Encode(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) const {
    const at::Tensor tokens = TimeFirst(at::cat({k.add(v.tanh()), q}, /*dim=*/2));
    const at::Tensor padded = at::cat({PaddedKeys(args), PaddedQueries(args)}, /*dim=*/1);
    const at::Tensor out = ModuleFor(args).forward(tokens, MaskOf(args, tokens.size(0)), padded);
    return HeadsFirst(out.narrow(0, args.seqlen_k, args.seqlen_q), args);
  }

  /// The module of these sizes; the one before it is kept, since laws call many times.
  AnyModule& ModuleFor(const AttentionArgs& args) const {
    struct Made {
      Encoder of;
      int32_t heads, dim;
      bool operator==(const Made&) const = default;
    };
    static thread_local Made made{};
    static thread_local AnyModule module;
    if (const Made wanted{*this, args.heads, args.dim}; made != wanted) {
      const SeededGenerator seeded;
      module = make(static_cast<int64_t>(args.heads) * args.dim, args.heads);
      for (at::Tensor& weight : module.ptr()->parameters()) weight.set_requires_grad(false);
      made = wanted;
    }
    return module;
  }

  /// [slots, slots], added to the scores; undefined for none.
  at::Tensor MaskOf(const AttentionArgs& args, int64_t slots) const {
    if (!src_mask) return {};
    const at::Tensor mask = at::zeros({slots, slots}, at::kFloat);
    if (args.mask == Mask::none) return mask;
    return mask.masked_fill(at::ones({slots, slots}, at::kBool).triu(1),
                            -std::numeric_limits<float>::infinity());
  }
};

constexpr Encoder kLayer{.make = MakeLayer, .src_mask = false};
constexpr Encoder kStack{.make = MakeStack, .src_mask = false};
constexpr Encoder kSrcMask{.make = MakeStack, .src_mask = true};

Status ForwardLayer(const AttentionArgs& args) { return kLayer.Forward(args); }
Status BackwardLayer(const AttentionArgs& args) { return kLayer.Backward(args); }
Status ForwardStack(const AttentionArgs& args) { return kStack.Forward(args); }
Status BackwardStack(const AttentionArgs& args) { return kStack.Backward(args); }
Status ForwardSrcMask(const AttentionArgs& args) { return kSrcMask.Forward(args); }

// ---- rows ---------------------------------------------------------------------------------------

constexpr const char* kFile = "kernels/torch_encoder.cc";
constexpr const char* kSource =
    "pytorch/pytorch#101967: a zero weight times a masked NaN reaches the output; #41508: NaN at a "
    "padded query that sees no key";

constexpr KernelTraits TraitsOf(Set<Mask> masks, Set<PadSide> pad_sides, PadContent batch_content) {
  return {.dtypes = SetOf(Dtype::f32),
          .layouts = SetOf(Layout::bhsd, Layout::bshd),
          .strides = Set<Strides>::All(),
          .masks = masks,
          .pad_sides = pad_sides,
          .dim_max = 128,
          // A masked weight is 0, so a result of nothing but zeros takes the sign of pads.
          .promises = {.pad_content = PadContent::finite_scores,
                       .empty_row = EmptyRow::unspecified,
                       .pad_outputs = PadOutputs::written,
                       .batch_content = batch_content,
                       .refusals = Refusals::none,
                       .output = OutputOf::module}};
}

PADPROOF_KERNEL({.name = "torch_encoder.layer",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::TransformerEncoderLayer, src_key_padding_mask",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Mask::none), SetOf(PadSide::right, PadSide::left),
                                    PadContent::finite),
                 .forward = ForwardLayer,
                 .backward = BackwardLayer,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_encoder.stack",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::TransformerEncoder, two layers, src_key_padding_mask",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Mask::none), SetOf(PadSide::right, PadSide::left),
                                    PadContent::finite_scores),
                 .forward = ForwardStack,
                 .backward = BackwardStack,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_encoder.src_mask",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::TransformerEncoder, src_key_padding_mask and src_mask",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Mask::none, Mask::causal_br), SetOf(PadSide::right),
                                    PadContent::finite_scores),
                 .forward = ForwardSrcMask,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

}  // namespace
}  // namespace padproof
