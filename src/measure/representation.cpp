#include "measure/representation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

constexpr std::array<std::pair<Representation, std::string_view>, 5> names{{{Representation::automatic, "auto"},
                                                                            {Representation::full, "explicit"},
                                                                            {Representation::projected, "projected"},
                                                                            {Representation::streaming, "streaming"},
                                                                            {Representation::extreme, "extreme"}}};

}  // namespace

std::string_view representation_name(Representation representation) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.first == representation; })
      ->second;
}

Representation representation_of(std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.second == name; });
  if (found == names.end()) throw std::invalid_argument(fmt::format("no representation is called {}", name));
  return found->first;
}

std::vector<std::string> representation_reasons() {
  return {"asked_for", "less_work", "little_gain", "not_eligible", "beyond_counting"};
}

RepresentationChoice choose_representation(Representation asked, double full_operations, Representation reduced,
                                           double reduced_operations) {
  const std::string_view name = representation_name(reduced);
  if (asked != Representation::automatic) {
    return {.representation = asked,
            .reason = RepresentationReason::asked_for,
            .explanation = fmt::format("{}: asked for", representation_name(asked))};
  }
  const double gain = full_operations / reduced_operations;
  if (gain >= least_gain_of_reduction) {
    return {.representation = reduced,
            .reason = RepresentationReason::less_work,
            .explanation = fmt::format("{}: {:.1f} times less work than explicit", name, gain)};
  }
  return {.representation = Representation::full,
          .reason = RepresentationReason::little_gain,
          .explanation = fmt::format("explicit: {} would be {:.2f} times less work, and is taken from {:.0f} times on",
                                     name, gain, least_gain_of_reduction)};
}

}  // namespace diffphase
