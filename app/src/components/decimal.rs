//! Lengths in drawings, written with at most two decimals.
//!
//! The standard library writes floating-point numbers exactly, with tables and long arithmetic
//! that would be a twentieth of what the browser downloads. A hundredth of a pixel is enough here.

/// `86`, `27.5`, `-0.25`. Meant for pixels: what is beyond a million of them is written as 0.
#[must_use]
pub fn decimal(value: f64) -> String {
    let length = value.abs();
    let hundredths = if length < 1e6 {
        whole(length * 100.0)
    } else {
        0
    };
    let sign = if value < 0.0 && hundredths > 0 {
        "-"
    } else {
        ""
    };
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (rest / 10, rest % 10) {
        (0, 0) => format!("{sign}{whole}"),
        (tenths, 0) => format!("{sign}{whole}.{tenths}"),
        (tenths, more) => format!("{sign}{whole}.{tenths}{more}"),
    }
}

/// The nearest whole number to one that is not negative, read from how a float is built: a mantissa
/// of 53 bits, shifted. What is negative, too large for that or no number at all is 0.
#[must_use]
pub fn whole(value: f64) -> u64 {
    const MANTISSA_BITS: u64 = 52;
    const ZERO_EXPONENT: u64 = 1_023;
    let bits = (value + 0.5).to_bits();
    let exponent = bits >> MANTISSA_BITS;
    let mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) | (1 << MANTISSA_BITS);
    match exponent.checked_sub(ZERO_EXPONENT) {
        Some(shift) if shift <= MANTISSA_BITS => mantissa >> (MANTISSA_BITS - shift),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_short_as_they_are() {
        let cases = [
            (0.0, "0"),
            (86.0, "86"),
            (27.5, "27.5"),
            (33.333_333, "33.33"),
            (0.056, "0.06"),
            (99.999, "100"),
            (-0.25, "-0.25"),
            (-0.001, "0"),
            (1_287.004, "1287"),
        ];
        for (value, written) in cases {
            assert_eq!(decimal(value), written);
        }
    }

    #[test]
    fn the_nearest_whole_number_is_found() {
        let cases = [
            (0.0, 0),
            (0.49, 0),
            (0.5, 1),
            (1.0, 1),
            (86_400_000.4, 86_400_000),
        ];
        for (value, nearest) in cases {
            assert_eq!(whole(value), nearest);
        }
        assert_eq!(whole(-1.0), 0);
        assert_eq!(whole(f64::NAN), 0);
    }

    #[test]
    fn what_is_no_length_is_written_as_none() {
        for value in [f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(decimal(value), "0");
        }
    }
}
