#include "harness/drivers/protocol.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace padproof {
namespace {

using nlohmann::json;

json ToJsonValue(const KernelTraits& t) {
  const NumericsProfile& n = t.numerics;
  return {{"dtypes", t.dtypes.bits},
          {"layouts", t.layouts.bits},
          {"masks", t.masks.bits},
          {"strides", t.strides.bits},
          {"pad_sides", t.pad_sides.bits},
          {"mask_forms", t.mask_forms.bits},
          {"biases", t.biases.bits},
          {"features", t.features.bits},
          {"dim_max", t.dim_max},
          {"dim_multiple", t.dim_multiple},
          {"page_multiple", t.page_multiple},
          {"seqlen_k_min", t.seqlen_k_min},
          {"tile_q", t.tile_q},
          {"tile_k", t.tile_k},
          {"returns_lse", t.returns_lse},
          {"recomputes_forward", t.recomputes_forward},
          {"pad_content", t.promises.pad_content},
          {"empty_row", t.promises.empty_row},
          {"pad_outputs", t.promises.pad_outputs},
          {"determinism", t.promises.determinism},
          {"empty_lse", t.promises.empty_lse},
          {"head_content", t.promises.head_content},
          {"batch_content", t.promises.batch_content},
          {"dropout_mask", t.promises.dropout_mask},
          {"hidden_content", t.promises.hidden_content},
          {"refusals", t.promises.refusals},
          {"bad_input", t.promises.bad_input},
          {"output", t.promises.output},
          {"p_rounding", n.p_rounding},
          {"p_underflow", n.p_underflow},
          {"score_rounding", n.score_rounding},
          {"qk_scale_rounding", n.qk_scale_rounding},
          {"exp_error", n.exp_error},
          {"accumulation_factor", n.accumulation_factor},
          {"tile_keys", n.tile_keys},
          {"split", n.split},
          {"row_sum_of_rounded_p", n.row_sum_of_rounded_p},
          {"tensor_block", n.tensor_block},
          {"tensor_extra_bits", n.tensor_extra_bits},
          {"operand_rounding", n.operand_rounding},
          {"max_lag", n.max_lag},
          {"in_order_keys", n.in_order_keys},
          {"expanded_gradients", n.expanded_gradients},
          {"tanh_error", n.tanh_error},
          {"directed_rounding", n.directed_rounding},
          {"inexact_unit_rescale", n.inexact_unit_rescale},
          {"stored_scores", n.stored_scores}};
}

KernelTraits TraitsFrom(const json& j) {
  KernelTraits t;
  j.at("dtypes").get_to(t.dtypes.bits);
  j.at("layouts").get_to(t.layouts.bits);
  j.at("masks").get_to(t.masks.bits);
  j.at("strides").get_to(t.strides.bits);
  j.at("pad_sides").get_to(t.pad_sides.bits);
  j.at("mask_forms").get_to(t.mask_forms.bits);
  j.at("biases").get_to(t.biases.bits);
  j.at("features").get_to(t.features.bits);
  j.at("dim_max").get_to(t.dim_max);
  j.at("dim_multiple").get_to(t.dim_multiple);
  j.at("page_multiple").get_to(t.page_multiple);
  j.at("seqlen_k_min").get_to(t.seqlen_k_min);
  j.at("tile_q").get_to(t.tile_q);
  j.at("tile_k").get_to(t.tile_k);
  j.at("returns_lse").get_to(t.returns_lse);
  j.at("recomputes_forward").get_to(t.recomputes_forward);
  j.at("pad_content").get_to(t.promises.pad_content);
  j.at("empty_row").get_to(t.promises.empty_row);
  j.at("pad_outputs").get_to(t.promises.pad_outputs);
  j.at("determinism").get_to(t.promises.determinism);
  j.at("empty_lse").get_to(t.promises.empty_lse);
  j.at("head_content").get_to(t.promises.head_content);
  j.at("batch_content").get_to(t.promises.batch_content);
  j.at("dropout_mask").get_to(t.promises.dropout_mask);
  j.at("hidden_content").get_to(t.promises.hidden_content);
  j.at("refusals").get_to(t.promises.refusals);
  j.at("bad_input").get_to(t.promises.bad_input);
  j.at("output").get_to(t.promises.output);
  NumericsProfile& n = t.numerics;
  j.at("p_rounding").get_to(n.p_rounding);
  j.at("p_underflow").get_to(n.p_underflow);
  j.at("score_rounding").get_to(n.score_rounding);
  j.at("qk_scale_rounding").get_to(n.qk_scale_rounding);
  j.at("exp_error").get_to(n.exp_error);
  j.at("accumulation_factor").get_to(n.accumulation_factor);
  j.at("tile_keys").get_to(n.tile_keys);
  j.at("split").get_to(n.split);
  j.at("row_sum_of_rounded_p").get_to(n.row_sum_of_rounded_p);
  j.at("tensor_block").get_to(n.tensor_block);
  j.at("tensor_extra_bits").get_to(n.tensor_extra_bits);
  j.at("operand_rounding").get_to(n.operand_rounding);
  j.at("max_lag").get_to(n.max_lag);
  j.at("in_order_keys").get_to(n.in_order_keys);
  j.at("expanded_gradients").get_to(n.expanded_gradients);
  j.at("tanh_error").get_to(n.tanh_error);
  j.at("directed_rounding").get_to(n.directed_rounding);
  j.at("inexact_unit_rescale").get_to(n.inexact_unit_rescale);
  j.at("stored_scores").get_to(n.stored_scores);
  return t;
}

json ToJsonValue(const KernelInfo& k) {
  return {{"id", k.id},
          {"name", k.name},
          {"backend", k.backend},
          {"file", k.file},
          {"summary", k.summary},
          {"source", k.source},
          {"plugin", k.plugin},
          {"forward", k.has_forward},
          {"backward", k.has_backward},
          {"host_twin", k.has_host_twin},
          {"device", k.device},
          {"missing", k.missing},
          {"traits", ToJsonValue(k.traits)}};
}

KernelInfo KernelFrom(const json& j) {
  KernelInfo k;
  j.at("id").get_to(k.id);
  j.at("name").get_to(k.name);
  j.at("backend").get_to(k.backend);
  j.at("file").get_to(k.file);
  j.at("summary").get_to(k.summary);
  j.at("source").get_to(k.source);
  j.at("plugin").get_to(k.plugin);
  j.at("forward").get_to(k.has_forward);
  j.at("backward").get_to(k.has_backward);
  j.at("host_twin").get_to(k.has_host_twin);
  j.at("device").get_to(k.device);
  j.at("missing").get_to(k.missing);
  k.traits = TraitsFrom(j.at("traits"));
  return k;
}

// JSON has no infinity: ratios travel as text.
std::string RatioText(double ratio) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", ratio);
  return text;
}

double RatioFrom(const json& j) { return std::strtod(j.get<std::string>().c_str(), nullptr); }

json ToJsonValue(const Closeness& c) {
  return {{"region", c.region}, {"worst", RatioText(c.worst)}, {"elements", c.elements}};
}

Closeness ClosenessFrom(const json& j) {
  return {.region = j.at("region").get<std::string>(),
          .worst = RatioFrom(j.at("worst")),
          .elements = j.at("elements").get<int64_t>()};
}

json ToJsonValue(const Failure& f) {
  return {{"kind", f.kind},
          {"region", f.region},
          {"where", f.where},
          {"expected", f.expected},
          {"got", f.got},
          {"extent", f.extent},
          {"ratio", RatioText(f.ratio)},
          {"note", f.note}};
}

Failure FailureFrom(const json& j) {
  Failure f;
  j.at("kind").get_to(f.kind);
  j.at("region").get_to(f.region);
  j.at("where").get_to(f.where);
  j.at("expected").get_to(f.expected);
  j.at("got").get_to(f.got);
  j.at("extent").get_to(f.extent);
  f.ratio = RatioFrom(j.at("ratio"));
  j.at("note").get_to(f.note);
  return f;
}

std::string Dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string ToLine(const Request& r) {
  return Dump({{"kind", r.kind == Request::Kind::load ? "load" : "judge"},
               {"plugin", r.plugin},
               {"kernel", r.kernel},
               {"law", r.law},
               {"line", r.line}});
}

std::optional<Request> ParseRequest(const std::string& line) try {
  const json j = json::parse(line);
  Request r;
  r.kind = j.at("kind") == "load" ? Request::Kind::load : Request::Kind::judge;
  j.at("plugin").get_to(r.plugin);
  j.at("kernel").get_to(r.kernel);
  j.at("law").get_to(r.law);
  j.at("line").get_to(r.line);
  return r;
} catch (const json::exception&) {
  return std::nullopt;
}

std::string ToLine(const Reply& r) {
  json kernels = json::array();
  for (const KernelInfo& k : r.kernels) kernels.push_back(ToJsonValue(k));
  json closeness = json::array();
  for (const Closeness& c : r.verdict.closeness) closeness.push_back(ToJsonValue(c));
  return Dump({{"error", r.error},
               {"last", r.last},
               {"kernels", kernels},
               {"outcome", static_cast<int>(r.verdict.outcome)},
               {"reason", r.verdict.reason},
               {"failure", ToJsonValue(r.verdict.failure)},
               {"closeness", closeness}});
}

std::optional<Reply> ParseReply(const std::string& line) try {
  const json j = json::parse(line);
  Reply r;
  j.at("error").get_to(r.error);
  j.at("last").get_to(r.last);
  for (const json& k : j.at("kernels")) r.kernels.push_back(KernelFrom(k));
  r.verdict.outcome = static_cast<Outcome>(j.at("outcome").get<int>());
  j.at("reason").get_to(r.verdict.reason);
  r.verdict.failure = FailureFrom(j.at("failure"));
  for (const json& c : j.at("closeness")) r.verdict.closeness.push_back(ClosenessFrom(c));
  return r;
} catch (const json::exception&) {
  return std::nullopt;
}

std::string ToJson(const KernelInfo& kernel) { return Dump(ToJsonValue(kernel)); }

}  // namespace padproof
