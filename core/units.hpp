#pragma once
// Units at the edge of the program: text such as "400 us" or "3 dBm" in, SI out. Inside, everything is SI and linear.
#include <string>
#include <string_view>

namespace lightloop {

/// Value in SI of a text like "400 us", "4.2mA", "850nm", "0.3" for a parameter whose SI unit is `unit`.
///
/// A bare number is taken as SI. Prefixes f p n u µ m c k M G T on s m g A W Hz V J K rad ohm S C F; also deg, degC, %,
/// dB (power ratio, for unit "1"), dBm (for "W"), min, h, d. Units may be multiplied, divided and raised: "mA/W",
/// "V*s", "nm^2". A word that is none of these but stands in `unit` ("px", "e-") counts as a unit of its own kind.
/// Throws InvalidParameter for an unreadable or non-finite number, an unknown unit or one of another dimension, naming
/// `parameter`.
double parse_quantity(std::string_view text, std::string_view unit, std::string_view parameter);

/// `value` in `unit` as SI. As parse_quantity, for a number that is already a number; takes dBm and degC too.
double to_si(double value, std::string_view unit, std::string_view si_unit, std::string_view parameter);

/// Factor by which a value in `unit` ("mA", "GHz") must be multiplied to be SI; checks the dimension against `si_unit`.
/// Throws InvalidParameter, also for dB, dBm and degC, which are no factors.
double unit_factor(std::string_view unit, std::string_view si_unit, std::string_view parameter);

/// Short text with a fitting prefix, six digits: format_quantity(4e-4, "s") == "400 us".
std::string format_quantity(double value, std::string_view unit);

}  // namespace lightloop
