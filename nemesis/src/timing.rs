//! Times of faults as a user sets them: how often one begins, and for how long it lasts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Minimum duration of a fault whose time is drawn.
pub(crate) const SHORTEST_DRAWN: Duration = Duration::from_millis(100);
/// Number of steps of a drawn time in its mean, and the maximum number of steps.
const STEPS_PER_MEAN: u32 = 64;
const MAX_STEPS: u32 = 5 * STEPS_PER_MEAN;

/// Times of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTiming {
    /// Time from the beginning of one fault to that of the next; its mean if it is drawn.
    pub every: Duration,
    /// Duration of a fault that has none of its own; its mean if it is drawn.
    pub lasts: Duration,
    /// Distribution of these times.
    pub spread: Spread,
}

/// Distribution of times around their means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Always the mean.
    Fixed,
    /// Exponential, up to five times the mean: many short times, and a few long ones.
    Exponential,
}

impl Spread {
    /// Returns the name, as users type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Exponential => "exponential",
        }
    }

    /// Returns the distribution of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Fixed, Self::Exponential].into_iter().find(|spread| spread.name() == name)
    }

    /// Draws a time with this mean. An exponential one is geometric in steps of a 64th, which takes integers only, so
    /// that every machine draws the same.
    pub(crate) fn draw(self, mean: Duration, random: &mut Random) -> Duration {
        match self {
            Self::Fixed => mean,
            Self::Exponential => {
                let more = |_: &u32| random.below(STEPS_PER_MEAN as usize) != 0;
                let steps = (1..MAX_STEPS).take_while(more).count();
                let steps = u32::try_from(steps).expect("there are few steps") + 1;
                (mean * steps / STEPS_PER_MEAN).max(SHORTEST_DRAWN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_times_are_exponential_around_their_mean() {
        let mut random = Random::split(1, "test");
        let mean = Duration::from_secs(3);
        assert_eq!(Spread::Fixed.draw(mean, &mut random), mean);
        let drawn: Vec<Duration> = (0..4000).map(|_| Spread::Exponential.draw(mean, &mut random)).collect();
        let average = drawn.iter().sum::<Duration>() / 4000;
        assert!((2800..3200).contains(&average.as_millis()), "{average:?}");
        let below_mean = drawn.iter().filter(|time| **time < mean).count();
        // Of an exponential distribution, 63 % are below the mean.
        assert!((2400..2650).contains(&below_mean), "{below_mean}");
        let [least, most] = [drawn.iter().min().unwrap(), drawn.iter().max().unwrap()];
        assert!(*least >= SHORTEST_DRAWN && *most > mean * 3 && *most <= mean * 5, "{least:?} to {most:?}");
    }
}
