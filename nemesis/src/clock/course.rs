//! Bending the clocks of all programs of a node at one moment, for which they are stopped.

use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::error::ClockError;
use super::page::{CLOCKS, Parameters, Point, is_bent, is_wall};
use super::program::Program;
use super::skew::{Clocks, Skew};
use super::target;
use crate::strays::Process;

/// Time that the threads of a program get to stop before all go on, to be stopped again later.
const STOP_LIMIT: Duration = Duration::from_millis(100);
/// Time for such attempts.
const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);
const DAY_NS: i64 = 86_400_000_000_000;

/// Function that finds all programs of a node that run now.
pub(crate) type Members<'a> = &'a (dyn Fn() -> Vec<Process> + Sync);

/// Course of a node's clocks since a moment. Those of the time of day are the same for all its programs, whenever they
/// start. Monotonic ones go on from where they are in each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    parameters: Parameters,
    /// Readings of all clocks at that moment, ns.
    began_ns: [i64; CLOCKS],
}

impl Course {
    /// Returns that of clocks with this skew from now on.
    fn begin(skew: Skew) -> Self {
        let began_ns = readings_ns();
        let half_period_ns = skew.strobe_ms.map_or(0, |period_ms| period_ms * 500_000);
        let mut parameters = Parameters { half_period_ns, ..Parameters::at_rate(skew.rate) };
        let jumps = |clock| is_wall(clock) || skew.clocks == Clocks::All;
        let strobe_ns = if skew.strobe_ms.is_some() { skew.jump_ns } else { 0 };
        let jump_ns = skew.jump_ns - strobe_ns;
        // If the machine's clock is set back, one that keeps its rate follows, at most by this.
        let earlier_ns = if strobe_ns == 0 && (Skew { jump_ns: 0, ..skew }).is_none() { DAY_NS } else { 0 };
        for clock in (0..CLOCKS).filter(|clock| is_bent(*clock)) {
            let earlier_ns = if is_wall(clock) { earlier_ns } else { 0 };
            let real_ns = began_ns[clock] - earlier_ns;
            parameters.points[clock] = Point {
                real_ns,
                shown_ns: real_ns + if is_wall(clock) { jump_ns } else { 0 },
                strobe_ns: if jumps(clock) { strobe_ns } else { 0 },
            };
        }
        Self { parameters, began_ns }
    }

    /// Returns the parameters of a program that has had others so far, and whose monotonic clocks jump now.
    fn parameters(&self, before: &Parameters, now_ns: &[i64; CLOCKS], jump_ns: i64) -> Parameters {
        let mut parameters = self.parameters;
        for clock in (0..CLOCKS).filter(|clock| is_bent(*clock) && !is_wall(*clock)) {
            let shown_ns = before.shown_ns(clock, now_ns[clock]) + jump_ns;
            parameters.show(clock, now_ns[clock], shown_ns);
        }
        parameters
    }
}

/// Skews the clocks of all programs of a node, or makes them right again, from one moment on. Takes some milliseconds,
/// and at most five seconds, for which the node stands still now and then.
///
/// # Errors
/// Returns the reason why that is not possible; then all clocks are as they were.
pub(crate) fn bend(members: Members<'_>, skew: Skew) -> Result<Course, ClockError> {
    let jump_ns = if skew.clocks == Clocks::All && skew.strobe_ms.is_none() { skew.jump_ns } else { 0 };
    again(|| {
        // Clocks that could not be skewed need no healing.
        let is_wanted = |process: &Process| !skew.is_none() || Program::is_taken(*process) == Some(true);
        let mut programs = stop_all(&|| members().into_iter().filter(is_wanted).collect())?;
        let course = Course::begin(skew);
        for program in &mut programs {
            program.set(&course.parameters(&program.parameters(), &course.began_ns, jump_ns))?;
        }
        Ok(course)
    })
}

/// Checks that the clocks of all programs of a node can be skewed, and prepares them for that; they stay as they are.
///
/// # Errors
/// Returns the reason why that is not possible.
pub(crate) fn prepare(members: Members<'_>) -> Result<(), ClockError> {
    again(|| stop_all(members).map(drop))
}

/// Gives all programs of a node that do not have clocks of ours yet those of a course.
///
/// # Errors
/// Returns the reason why that is not possible; then none has them.
pub(crate) fn follow(members: Members<'_>, course: &Course) -> Result<(), ClockError> {
    again(|| follow_now(members, course))
}

/// Gives one program the clocks of a course, and does not try again if it does not stop.
///
/// # Errors
/// Returns the reason why that is not possible; then it does not have them.
pub(super) fn follow_one(process: Process, course: &Course) -> Result<(), ClockError> {
    apart(|| follow_now(&|| vec![process], course))
}

fn follow_now(members: Members<'_>, course: &Course) -> Result<(), ClockError> {
    let is_new = |process: &Process| Program::is_taken(*process) == Some(false);
    let mut programs = stop_all(&|| members().into_iter().filter(is_new).collect())?;
    let now_ns = readings_ns();
    for program in &mut programs {
        program.set(&course.parameters(&program.parameters(), &now_ns, 0))?;
    }
    Ok(())
}

/// Stops all programs, and takes their clocks, which stay as they are.
fn stop_all(members: Members<'_>) -> Result<Vec<Program>, ClockError> {
    if !target::IS_KNOWN {
        return Err(ClockError::Processor);
    }
    let (mut programs, mut tried) = (Vec::new(), Vec::new());
    loop {
        // A process that is not stopped yet may start others.
        let new: Vec<Process> = members().into_iter().filter(|process| !tried.contains(process)).collect();
        if new.is_empty() {
            break;
        }
        for process in &new {
            programs.extend(Program::stop(*process, Instant::now() + STOP_LIMIT)?);
        }
        tried.extend(new);
    }
    programs.iter_mut().try_for_each(Program::redirect)?;
    Ok(programs)
}

/// Does what stops threads, on a thread of its own, at whose end the kernel lets all go that are still stopped.
fn apart<T: Send>(work: impl Fn() -> Result<T, ClockError> + Sync) -> Result<T, ClockError> {
    thread::scope(|scope| scope.spawn(&work).join()).expect("bending clocks does not panic")
}

/// Does so until it succeeds, or will never do so.
fn again<T: Send>(work: impl Fn() -> Result<T, ClockError> + Sync) -> Result<T, ClockError> {
    let until = Instant::now() + LIMIT;
    loop {
        match apart(&work) {
            Err(ClockError::Busy { .. } | ClockError::Traced { .. }) if Instant::now() < until => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

/// Reads all clocks that are bent, ns; coarse ones and those of alarms by those that they follow.
fn readings_ns() -> [i64; CLOCKS] {
    let mut readings_ns = [0; CLOCKS];
    for (clock, followers) in [(0, [5, 8]), (1, [6, 6]), (4, [4, 4]), (7, [9, 9]), (11, [11, 11])] {
        let id = ClockId::from_raw(i32::try_from(clock).expect("it is small"));
        let now = clock_gettime(id).map(Duration::from).expect("every Linux has these clocks");
        for clock in followers.into_iter().chain([clock]) {
            readings_ns[clock] = i64::try_from(now.as_nanos()).expect("it is before the year 2262");
        }
    }
    readings_ns
}
