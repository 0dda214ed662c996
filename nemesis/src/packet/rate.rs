//! Shares of packets, times, and bandwidths, as users type them. Pure.

use crate::spec_options::time_in_words;

/// Number of parts into which all packets are divided.
pub(super) const WHOLE_PPM: u32 = 1_000_000;
/// Maximum number of decimals of a percentage.
const DECIMALS: usize = 4;
/// Units of a bandwidth, each in bits per second, the greatest first.
const UNITS_BPS: [(&str, u64); 4] = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1000), ("bit", 1)];
/// Limits of a bandwidth: below, no packet ends within the time of a fault; above, no link of a host is as fast.
const MIN_BPS: u64 = 1000;
const MAX_BPS: u64 = 100_000_000_000;

/// Reads `20%` or `0.5%`, above 0 and at most 100, in parts per million.
pub(super) fn read_share(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && (number.len() == whole.len() || !decimals.is_empty());
    if !is_number || !are_digits(whole) || !are_digits(decimals) || decimals.len() > DECIMALS {
        return None;
    }
    let ppm = format!("{whole}{decimals:0<DECIMALS$}").parse().ok()?;
    (1..=WHOLE_PPM).contains(&ppm).then_some(ppm)
}

/// Returns a share as a number of percent.
pub(super) fn percent(ppm: u32) -> String {
    let text = format!("{}.{:0DECIMALS$}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads `1mbit` or `500kbit`, in bits per second.
pub(super) fn read_bandwidth(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, unit_bps) = UNITS_BPS.into_iter().find(|(name, _)| *name == unit)?;
    let bps = number.parse::<u64>().ok()?.checked_mul(unit_bps)?;
    (MIN_BPS..=MAX_BPS).contains(&bps).then_some(bps)
}

/// Returns a bandwidth in the greatest unit that makes it a whole number.
pub(super) fn bandwidth(bps: u64) -> String {
    let fits = |(_, unit_bps): &(&str, u64)| bps.is_multiple_of(*unit_bps);
    let (unit, unit_bps) = UNITS_BPS.into_iter().find(fits).unwrap_or(("bit", 1));
    format!("{}{unit}", bps / unit_bps)
}

/// Formats a time in a sentence.
pub(super) fn lasting(us: u64) -> String {
    if us < 1_000_000 { time(us) } else { time_in_words(us / 1000) }
}

/// Returns a time as it is typed: `50ms` or `200us`.
pub(super) fn time(us: u64) -> String {
    if us.is_multiple_of(1000) { format!("{}ms", us / 1000) } else { format!("{us}us") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_exactly_and_printed_as_it_was_typed() {
        for (text, ppm) in [("20%", 200_000), ("0.5%", 5000), ("100%", 1_000_000), ("0.0001%", 1), ("12.25%", 122_500)]
        {
            assert_eq!(read_share(text), Some(ppm));
            assert_eq!(format!("{}%", percent(ppm)), text);
        }
        for wrong in ["20", "0%", "100.1%", "-1%", ".5%", "5.%", "1e2%", "0.00001%", "%", ""] {
            assert_eq!(read_share(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bandwidth_is_read_with_its_unit() {
        for (text, bps) in [("1mbit", 1_000_000), ("1500kbit", 1_500_000), ("2gbit", 2_000_000_000), ("1001bit", 1001)]
        {
            assert_eq!(read_bandwidth(text), Some(bps));
            assert_eq!(bandwidth(bps), text);
        }
        for wrong in ["1", "mbit", "1mb", "0kbit", "999bit", "101gbit", "-1mbit", "1 mbit", "99999999999999999gbit"] {
            assert_eq!(read_bandwidth(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_is_printed_in_the_unit_that_it_needs() {
        assert_eq!([time(50_000), time(1500), time(2_000_000)], ["50ms", "1500us", "2000ms"]);
        assert_eq!([lasting(50_000), lasting(2_000_000), lasting(1_250_000)], ["50ms", "2 s", "1.25 s"]);
    }
}
