//! The host's monotonic clock, and its stand-in for a node that is simulated.

use std::{
    ops::Add,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// Reading of a host's monotonic clock, in nanoseconds: the time axis shared by all processes of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostTime(pub(crate) u64);

impl HostTime {
    /// Returns the time passed since `earlier`; zero if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for HostTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Clock of a host. Clones read the same clock.
#[derive(Clone, Debug, Default)]
pub(crate) enum HostClock {
    /// `CLOCK_MONOTONIC` of this host.
    #[default]
    Real,
    /// Virtual time in nanoseconds, which passes only as it is told to.
    Virtual(Arc<AtomicU64>),
}

impl HostClock {
    /// Creates a virtual clock that stands at 0.
    pub(crate) fn at_zero() -> Self {
        Self::Virtual(Arc::default())
    }

    pub(crate) fn now(&self) -> HostTime {
        match self {
            Self::Real => {
                let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
                HostTime::default() + Duration::from(now)
            }
            Self::Virtual(now_ns) => HostTime(now_ns.load(Ordering::Relaxed)),
        }
    }

    /// Lets `span` pass on a virtual clock; a real one needs no telling.
    pub(crate) fn pass(&self, span: Duration) {
        if let Self::Virtual(now_ns) = self {
            now_ns.store((self.now() + span).0, Ordering::Relaxed);
        }
    }

    /// Sets a virtual clock that is behind `time` to it.
    pub(crate) fn reach(&self, time: HostTime) {
        if let Self::Virtual(now_ns) = self {
            now_ns.store(self.now().max(time).0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_passes_as_it_is_told_and_never_back() {
        let clock = HostClock::at_zero();
        clock.clone().pass(Duration::from_nanos(5));
        clock.reach(HostTime(3));
        assert_eq!(clock.now(), HostTime(5));
        clock.reach(HostTime(8));
        assert_eq!((clock.now(), clock.now().since(HostTime(9))), (HostTime(8), Duration::ZERO));
    }
}
