//! Measures of pictures over time: their width, scale and axis, the width of texts, and legends.

use maud::{Markup, html};

use super::{Facts, facts::EVENT_NS, page::text};

pub(super) const WIDTH: f64 = 960.0;
/// Left and right edges of the time axis.
pub(super) const LEFT: f64 = 150.0;
pub(super) const RIGHT: f64 = 940.0;
/// Width of the part of a picture that narrow screens show at once.
pub(super) const NARROW: f64 = 460.0;
/// Maximum number of ticks on the axis.
const MAX_TICKS: u64 = 8;
/// Width of a character and height of a line, roughly.
pub(super) const CHARACTER: f64 = 6.3;
pub(super) const LINE: f64 = 17.0;

/// Time span of the picture, mapped to horizontal positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

impl Scale {
    pub(super) fn x(self, time_ns: u64) -> f64 {
        let time_ns = time_ns.clamp(self.from_ns, self.until_ns);
        let share = std::time::Duration::from_nanos(time_ns - self.from_ns)
            .div_duration_f64(std::time::Duration::from_nanos(self.until_ns - self.from_ns));
        LEFT + share * (RIGHT - LEFT)
    }

    pub(super) fn shows(self, from_ns: u64, until_ns: u64) -> bool {
        from_ns < self.until_ns && until_ns > self.from_ns
    }
}

/// Renders a legend from a height on, no wider than `most`, and returns it with its own height.
pub(super) fn legend(entries: &[(&str, &str)], y: f64, most: f64) -> (Markup, f64) {
    let (mut x, mut row) = (8.0, 0.0);
    let mut placed = Vec::new();
    for (class, words) in entries {
        let width = 30.0 + text_width(words);
        if x + width > most {
            (x, row) = (8.0, row + LINE);
        }
        placed.push((x, y + row, *class, *words));
        x += width + 16.0;
    }
    let markup = html! {
        g class="legend" {
            @for (x, y, class, words) in placed {
                g class=(class) {
                    @match class {
                        "point" => { circle class="point" cx=(px(x + 9.0)) cy=(px(y + 5.0)) r="3.5" {} }
                        "ends" => { line x1=(px(x + 9.0)) x2=(px(x + 9.0)) y1=(px(y - 1.0)) y2=(px(y + 11.0)) {} }
                        _ if class.starts_with("message") => {
                            path d={ "M" (px(x)) " " (px(y + 5.0)) "h18" } {}
                        }
                        _ => { rect class=(class) x=(px(x)) y=(px(y)) width="18" height="10" rx="2" {} }
                    }
                }
                text class="name" x=(px(x + 24.0)) y=(px(y + 9.0)) { (words) }
            }
        }
    };
    (markup, row + LINE + 12.0)
}

/// Returns the width of a text, roughly.
pub(super) fn text_width(text: &str) -> f64 {
    CHARACTER * f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
}

pub(super) fn axis(facts: &Facts<'_>, scale: Scale, y: f64) -> Markup {
    let least_ns = if facts.history.has_times() { 1_000 } else { EVENT_NS };
    let step_ns = round_step(scale.until_ns - scale.from_ns, least_ns);
    let ticks = (scale.from_ns.div_ceil(step_ns)..).map(|tick| tick * step_ns);
    html! {
        g class="axis" {
            line x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for time_ns in ticks.take_while(|time_ns| *time_ns <= scale.until_ns) {
                @let x = scale.x(time_ns);
                line x1=(px(x)) x2=(px(x)) y1=(px(y)) y2=(px(y + 4.0)) {}
                text x=(px(x.min(WIDTH - 30.0))) y=(px(y + 16.0)) text-anchor="middle" {
                    @if facts.history.has_times() { (round_time(time_ns, step_ns)) } @else { (facts.moment(time_ns)) }
                }
            }
        }
    }
}

/// Returns the smallest step of 1, 2 or 5 times a power of ten, at least `least_ns`, that gives few enough ticks.
fn round_step(span_ns: u64, least_ns: u64) -> u64 {
    let powers = std::iter::successors(Some(least_ns), |power| power.checked_mul(10));
    let mut steps = powers.flat_map(|power| [1, 2, 5].map(|factor| power.saturating_mul(factor)));
    steps.find(|step_ns| span_ns / step_ns <= MAX_TICKS).unwrap_or(u64::MAX)
}

/// Formats a time that is a multiple of a step of at least 1 µs, in seconds, with as many digits as the step needs.
fn round_time(time_ns: u64, step_ns: u64) -> String {
    let digits = (0..6).find(|digits| step_ns.is_multiple_of(1_000_000_000 / 10_u64.pow(*digits))).unwrap_or(6);
    let (whole, rest) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000);
    match digits {
        0 => format!("{whole} s"),
        _ => format!("{whole}.{:0width$} s", rest / 10_u64.pow(9 - digits), width = digits as usize),
    }
}

/// Cuts a text to a number of characters.
pub(super) fn short(of: &str, most: usize) -> String {
    let plain = text(of);
    match plain.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

pub(super) fn px(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::{MAX_TICKS, NARROW, WIDTH, legend, round_step, round_time};

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(round_step(10_000_000, 1_000), 2_000_000);
        assert_eq!(round_step(8_000_000_000, 1_000), 1_000_000_000);
        assert_eq!(round_step(1, 1_000), 1_000);
        assert_eq!(round_step(5_000_000, 1_000_000), 1_000_000, "no tick lies between two events");
        assert!((1..60).all(|power| (1_u64 << power) / round_step(1 << power, 1_000) <= MAX_TICKS));
        let times =
            [(4_000_000_000, 1_000_000_000), (4_182_000_000, 2_000_000), (846_500_000, 500_000), (7_000, 1_000)];
        let shown = times.map(|(time_ns, step_ns)| round_time(time_ns, step_ns));
        assert_eq!(shown, ["4 s", "4.182 s", "0.8465 s", "0.000007 s"]);
    }

    #[test]
    fn a_long_legend_is_broken_between_entries() {
        let entry = ("operation", "words that take a lot of room");
        let height = |count, width| legend(&vec![entry; count], 0.0, width).1;
        assert!(height(1, WIDTH) < height(9, WIDTH), "{}", height(9, WIDTH));
        assert!(height(9, WIDTH) < height(9, NARROW), "{}", height(9, NARROW));
    }
}
