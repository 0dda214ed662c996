//! A stopped program whose clocks are ours: our page is mapped into it, and its vDSO jumps there.

use std::fs::{self, File};
use std::ops::Range;
use std::time::Instant;

use super::error::ClockError;
use super::page::{self, Parameters};
use super::target::{
    FUNCTIONS, HIGHEST_ADDRESS, JUMP_BYTES, JUMP_REACH, SYSCALL, code, jump, jump_target, place_in_page,
};
use super::tracee::{Tracee, read};
use super::vdso::{self, Image};
use crate::strays::Process;

/// Maximum length of a vDSO, bytes; that of Linux has a few pages.
const LONGEST_VDSO: usize = 1 << 16;
const PAGE: u64 = page::LENGTH as u64;

/// Addresses of functions of a vDSO, each with its place among [`FUNCTIONS`].
type Functions = Vec<(u64, usize)>;

/// Stopped program.
#[derive(Debug)]
pub(super) struct Program {
    tracee: Tracee,
    /// Page of ours.
    page: u64,
    /// Parameters in that page.
    parameters: Parameters,
    /// Functions of the vDSO that do not jump to the page yet.
    honest: Functions,
}

impl Program {
    /// Returns true if a process has clocks of ours; none if it has ended, or does not show its memory.
    pub(super) fn is_taken(process: Process) -> Option<bool> {
        let memory = File::open(process.folder().join("mem")).ok()?;
        let (_, functions) = find_functions(process, |address, length| read(&memory, address, length)).ok()?;
        Some(find_page(&functions, |address, length| read(&memory, address, length)).is_some())
    }

    /// Stops a process, and maps our page into it unless it is there, with honest clocks; none if it has ended. So far
    /// nobody is led to the page.
    pub(super) fn stop(process: Process, until: Instant) -> Result<Option<Self>, ClockError> {
        let Some(tracee) = Tracee::stop(process, until)? else { return Ok(None) };
        let (vdso, functions) = find_functions(process, |address, length| tracee.read(address, length))?;
        if let Some((page, parameters)) = find_page(&functions, |address, length| tracee.read(address, length)) {
            return Ok(Some(Self { tracee, page, parameters, honest: Vec::new() }));
        }
        if tracee.is_inside(&vdso)? {
            // A function that it has begun would give it an honest time later.
            return Err(ClockError::Busy { process: process.id.as_raw() });
        }
        check_filters(process)?;
        let image = tracee.read(vdso.start, LONGEST_VDSO);
        let no_vdso = ClockError::NoVdso { process: process.id.as_raw() };
        let instruction = Image::of(&image).and_then(|image| image.find(&SYSCALL)).ok_or(no_vdso)?;
        let no_space = ClockError::NoSpace { process: process.id.as_raw() };
        let maps = fs::read_to_string(process.folder().join("maps")).map_err(tracee.error("reading the mappings"))?;
        let page = free_page(&maps, &vdso).ok_or(no_space)?;
        tracee.map_page(vdso.start + instruction as u64, page, PAGE)?;
        tracee.write(page, &page::page(&Parameters::HONEST, code()))?;
        Ok(Some(Self { tracee, page, parameters: Parameters::HONEST, honest: functions }))
    }

    /// Returns the parameters of its clocks.
    pub(super) fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Makes the functions of its vDSO jump to the page. If that fails, none of them does.
    pub(super) fn redirect(&mut self) -> Result<(), ClockError> {
        let mut before = Vec::new();
        for &(address, function) in &self.honest {
            let to = self.page + place_in_page(function) as u64;
            let process = self.tracee.process().id.as_raw();
            let jump = jump(address, to).ok_or(ClockError::NoSpace { process })?;
            before.push((address, self.tracee.read(address, JUMP_BYTES)));
            if let Err(error) = self.tracee.write(address, &jump) {
                for (address, bytes) in before {
                    // The first error is the one to report; the process has most likely been killed.
                    self.tracee.write(address, &bytes).ok();
                }
                return Err(error);
            }
        }
        self.honest.clear();
        Ok(())
    }

    /// Changes the parameters of its clocks.
    pub(super) fn set(&mut self, parameters: &Parameters) -> Result<(), ClockError> {
        self.parameters = Parameters { sequence: self.parameters.sequence + 1, ..*parameters };
        self.tracee.write(self.page, &self.parameters.bytes())
    }
}

/// Finds the vDSO of a process, and the functions in it that tell the time. One whose memory is not there, as it is
/// about to end or to become another program, is busy.
fn find_functions(
    process: Process,
    read: impl Fn(u64, usize) -> Vec<u8>,
) -> Result<(Range<u64>, Functions), ClockError> {
    let process_id = process.id.as_raw();
    let auxiliary = fs::read(process.folder().join("auxv")).unwrap_or_default();
    if auxiliary.iter().all(|byte| *byte == 0) {
        return Err(ClockError::Busy { process: process_id });
    }
    let no_vdso = || ClockError::NoVdso { process: process_id };
    let address = vdso::address_in(&auxiliary).ok_or_else(no_vdso)?;
    let bytes = read(address, LONGEST_VDSO);
    if bytes.is_empty() {
        return Err(ClockError::Busy { process: process_id });
    }
    let find = || {
        let image = Image::of(&bytes)?;
        let function =
            |(number, name): (usize, &&str)| Some((address + image.function(name, JUMP_BYTES)? as u64, number));
        let functions: Functions = FUNCTIONS.iter().enumerate().filter_map(function).collect();
        let has_first = functions.first().is_some_and(|(_, number)| *number == 0);
        has_first.then_some((address..address + image.length()?, functions))
    };
    find().ok_or_else(no_vdso)
}

/// Finds a page of ours to which the first of these functions jumps.
fn find_page(functions: &[(u64, usize)], read: impl Fn(u64, usize) -> Vec<u8>) -> Option<(u64, Parameters)> {
    let &(address, function) = functions.first()?;
    let page = jump_target(address, &read(address, JUMP_BYTES))?.checked_sub(place_in_page(function) as u64)?;
    Some((page, Parameters::of_bytes(&read(page, page::CODE))?))
}

/// Checks that no filter looks at the system calls of a process that does not look at ours.
fn check_filters(process: Process) -> Result<(), ClockError> {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filters = |status: &str| ["Seccomp", "Seccomp_filters"].map(|name| Process::number(status, name));
    let its = filters(&process.status().unwrap_or_default());
    let is_free = its[0] == Some(0) || (its[1].is_some() && its == filters(&own));
    if is_free { Ok(()) } else { Err(ClockError::Filtered { process: process.id.as_raw() }) }
}

/// Returns the address of a free page as near to the vDSO as possible, by the lines of `/proc/PID/maps`; none if all
/// are too far to jump there.
fn free_page(maps: &str, vdso: &Range<u64>) -> Option<u64> {
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let range = |line: &str| line.split_once(' ')?.0.split_once('-').and_then(|(a, b)| Some((number(a)?, number(b)?)));
    let mut used: Vec<(u64, u64)> = maps.lines().filter_map(range).filter(|used| used.0 < HIGHEST_ADDRESS).collect();
    used.push((HIGHEST_ADDRESS, HIGHEST_ADDRESS));
    let gaps =
        used.windows(2).map(|pair| pair[0].1..pair[1].0).filter(|gap| gap.end.saturating_sub(gap.start) >= 4 * PAGE);
    // One page is left between ours and its neighbour.
    let pages = gaps.map(|gap| if gap.start >= vdso.end { gap.start + PAGE } else { gap.end - 2 * PAGE });
    pages.min_by_key(|page| page.abs_diff(vdso.start)).filter(|page| page.abs_diff(vdso.start) < JUMP_REACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_memory_has_gone_is_busy_and_one_without_a_vdso_has_none() {
        let own = Process::find(nix::unistd::Pid::this()).unwrap();
        let found = |memory: &[u8]| find_functions(own, |_, _| memory.to_vec());
        assert!(matches!(found(&[]), Err(ClockError::Busy { .. })));
        assert!(matches!(found(&[7; 64]), Err(ClockError::NoVdso { .. })));
    }

    #[test]
    fn the_nearest_free_page_is_taken() {
        let maps = "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n\
                    7ffc00100000-7ffc00104000 r--p 00000000 00:00 0 [vvar]\n\
                    7ffc00104000-7ffc00106000 r-xp 00000000 00:00 0 [vdso]\n\
                    ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
        let vdso = 0x7ffc_0010_4000..0x7ffc_0010_6000;
        assert_eq!(free_page(maps, &vdso), Some(0x7ffc_0010_7000));
        let above =
            "7ffc00106000-7ffc00109000 r--p 00000000 00:00 0\n7ffc0010c000-7fff00000000 r--p 00000000 00:00 0\n";
        let (before, after) = maps.split_at(maps.find("ffffffffff6").unwrap());
        let crowded = format!("{before}{above}{after}");
        assert_eq!(free_page(&crowded, &vdso), Some(0x7ffc_000f_e000), "three free pages are too few");
        let alone = "100000-7fffffffe000 r--p 00000000 00:00 0\n";
        assert_eq!(free_page(alone, &(0x7000_0000_0000..0x7000_0000_2000)), None);
    }
}
