//! x86-64: the code of the page, jumps into it, and calls of the kernel in the name of a stopped thread.

#![allow(unsafe_code, reason = "machine code, the labels in it, and two requests of ptrace that take a structure")]

use std::arch::global_asm;
use std::io;
use std::slice;

use nix::libc;
use nix::unistd::Pid;

use super::super::page;

/// True, as there is machine code for this processor.
pub(in super::super) const IS_KNOWN: bool = true;
/// Functions of a vDSO that tell the time.
pub(in super::super) const FUNCTIONS: [&str; 3] = ["__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time"];
/// Instruction that calls the kernel.
pub(in super::super) const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Length of a jump, bytes.
pub(in super::super) const JUMP_BYTES: usize = 5;
/// Longest distance of a jump, bytes, with something to spare.
pub(in super::super) const JUMP_REACH: u64 = 0x7000_0000;
/// End of the addresses that a program can have.
pub(in super::super) const HIGHEST_ADDRESS: u64 = 0x7fff_ffff_f000;

// The code is never run where the linker puts it, among constants: its bytes are copied behind the parameters of a
// page. It calls the kernel for each reading, and keeps to the registers that a called function may change.
global_asm!(
    ".pushsection .rodata.schism_clock, \"a\", @progbits",
    ".balign 8",
    ".hidden schism_clock_code, schism_clock_gettime, schism_gettimeofday, schism_time, schism_clock_code_end",
    ".globl schism_clock_code, schism_clock_gettime, schism_gettimeofday, schism_time, schism_clock_code_end",
    "schism_clock_code:",
    // clock_gettime(edi: clock, rsi: timespec): what the kernel says, bent if this is a clock that we bend.
    "schism_clock_gettime:",
    "mov eax, 228",
    "syscall",
    "test eax, eax",
    "jnz 9f",
    "cmp edi, 11",
    "ja 9f",
    "mov ecx, {bent}",
    "bt ecx, edi",
    "jnc 9f",
    // r9: time by the kernel, ns; r8: parameters; r10: point of the clock.
    "imul r9, qword ptr [rsi], 1000000000",
    "add r9, qword ptr [rsi + 8]",
    "lea r8, [rip + schism_clock_code - {code}]",
    "mov edi, edi",
    "lea rcx, [rdi + rdi * 2]",
    "lea r10, [r8 + rcx * 8 + {points}]",
    // r11: sequence number; rcx: time since the point, not below 0.
    "2:",
    "mov r11, qword ptr [r8 + {sequence}]",
    "mov rax, r9",
    "sub rax, qword ptr [r10]",
    "jns 3f",
    "xor eax, eax",
    "3:",
    "mov rcx, rax",
    // rax: that time at the rate, which has 32 bits behind the point, after the time shown at the point.
    "mul qword ptr [r8 + {rate}]",
    "shrd rax, rdx, 32",
    "add rax, qword ptr [r10 + 8]",
    // Half periods that have passed: after an even number of them, the strobe is added.
    "mov rdi, qword ptr [r8 + {half_period}]",
    "test rdi, rdi",
    "jz 4f",
    "push rax",
    "mov rax, rcx",
    "xor edx, edx",
    "div rdi",
    "test al, 1",
    "pop rax",
    "jnz 4f",
    "add rax, qword ptr [r10 + 16]",
    // If the parameters have changed meanwhile, once more.
    "4:",
    "cmp r11, qword ptr [r8 + {sequence}]",
    "jne 2b",
    // Seconds, and nanoseconds that are not below 0.
    "mov ecx, 1000000000",
    "cqo",
    "idiv rcx",
    "test rdx, rdx",
    "jns 5f",
    "add rdx, rcx",
    "dec rax",
    "5:",
    "mov qword ptr [rsi], rax",
    "mov qword ptr [rsi + 8], rdx",
    "xor eax, eax",
    "9:",
    "ret",
    // gettimeofday(rdi: timeval, rsi: timezone): either may be null; the kernel fills in the latter.
    ".balign 8",
    "schism_gettimeofday:",
    "sub rsp, 24",
    "mov qword ptr [rsp + 16], rdi",
    "test rsi, rsi",
    "jz 2f",
    "xor edi, edi",
    "mov eax, 96",
    "syscall",
    "test eax, eax",
    "jnz 9f",
    "2:",
    "xor eax, eax",
    "cmp qword ptr [rsp + 16], 0",
    "je 9f",
    "xor edi, edi",
    "mov rsi, rsp",
    "call schism_clock_gettime",
    "mov rdi, qword ptr [rsp + 16]",
    "mov rax, qword ptr [rsp]",
    "mov qword ptr [rdi], rax",
    "mov rax, qword ptr [rsp + 8]",
    "xor edx, edx",
    "mov ecx, 1000",
    "div rcx",
    "mov qword ptr [rdi + 8], rax",
    "xor eax, eax",
    "9:",
    "add rsp, 24",
    "ret",
    // time(rdi: seconds, may be null).
    ".balign 8",
    "schism_time:",
    "sub rsp, 24",
    "mov qword ptr [rsp + 16], rdi",
    "xor edi, edi",
    "mov rsi, rsp",
    "call schism_clock_gettime",
    "mov rdi, qword ptr [rsp + 16]",
    "mov rax, qword ptr [rsp]",
    "test rdi, rdi",
    "jz 2f",
    "mov qword ptr [rdi], rax",
    "2:",
    "add rsp, 24",
    "ret",
    "schism_clock_code_end:",
    ".popsection",
    bent = const BENT,
    code = const page::CODE,
    points = const page::POINTS,
    sequence = const page::SEQUENCE,
    rate = const page::RATE,
    half_period = const page::HALF_PERIOD,
);

/// Clocks that are bent, a bit each.
const BENT: u32 = {
    let (mut bits, mut place) = (0, 0);
    while place < page::CLOCKS {
        if page::is_bent(place) {
            bits |= 1 << place;
        }
        place += 1;
    }
    bits
};

unsafe extern "C" {
    static schism_clock_code: u8;
    static schism_clock_gettime: u8;
    static schism_gettimeofday: u8;
    static schism_time: u8;
    static schism_clock_code_end: u8;
}

/// Returns the machine code, which belongs at [`page::CODE`].
pub(in super::super) fn code() -> &'static [u8] {
    // SAFETY: both labels are in the same constant section, the second behind the first.
    unsafe {
        let begin = &raw const schism_clock_code;
        slice::from_raw_parts(begin, (&raw const schism_clock_code_end).addr() - begin.addr())
    }
}

/// Returns the place in the page of the function that replaces one of [`FUNCTIONS`].
pub(in super::super) fn place_in_page(function: usize) -> usize {
    let labels = [&raw const schism_clock_gettime, &raw const schism_gettimeofday, &raw const schism_time];
    page::CODE + labels[function].addr() - code().as_ptr().addr()
}

/// Returns a jump from one address to another; none if it is too far.
pub(in super::super) fn jump(from: u64, to: u64) -> Option<[u8; JUMP_BYTES]> {
    let distance = i32::try_from(to.wrapping_sub(from + JUMP_BYTES as u64).cast_signed()).ok()?;
    let [a, b, c, d] = distance.to_le_bytes();
    Some([0xe9, a, b, c, d])
}

/// Returns the address to which the code at an address jumps, if it begins with a jump.
pub(in super::super) fn jump_target(from: u64, code: &[u8]) -> Option<u64> {
    let distance = i32::from_le_bytes(code.strip_prefix(&[0xe9])?.get(..4)?.try_into().ok()?);
    Some((from + JUMP_BYTES as u64).wrapping_add_signed(distance.into()))
}

/// Registers of a stopped thread.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Registers(libc::user_regs_struct);

impl Registers {
    /// Reads those of a thread that we have stopped.
    pub(in super::super) fn of(thread: Pid) -> io::Result<Self> {
        let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::uninit();
        // SAFETY: the kernel fills the structure in, or says that it did not.
        unsafe {
            let result = libc::ptrace(libc::PTRACE_GETREGS, thread.as_raw(), 0, registers.as_mut_ptr());
            nix::errno::Errno::result(result)?;
            Ok(Self(registers.assume_init()))
        }
    }

    /// Gives them to a thread that we have stopped.
    pub(in super::super) fn set(&self, thread: Pid) -> io::Result<()> {
        // SAFETY: the kernel only reads the structure.
        let result = unsafe { libc::ptrace(libc::PTRACE_SETREGS, thread.as_raw(), 0, &raw const self.0) };
        nix::errno::Errno::result(result)?;
        Ok(())
    }

    /// Returns the address of the next instruction.
    pub(in super::super) fn instruction(&self) -> u64 {
        self.0.rip
    }

    /// Returns those of a thread about to call the kernel by the instruction at this address, which is not taken for
    /// the repetition of an interrupted call.
    pub(in super::super) fn for_mmap(&self, syscall: u64, address: u64, length: u64) -> Self {
        let bits = |bits: libc::c_int| u64::from(bits.cast_unsigned());
        let anywhere = u64::MAX;
        Self(libc::user_regs_struct {
            rip: syscall,
            orig_rax: anywhere,
            rax: libc::SYS_mmap.cast_unsigned(),
            rdi: address,
            rsi: length,
            rdx: bits(libc::PROT_READ | libc::PROT_EXEC),
            r10: bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE),
            r8: anywhere,
            r9: 0,
            ..self.0
        })
    }

    /// Returns the result of a call of the kernel.
    pub(in super::super) fn result(&self) -> io::Result<u64> {
        match self.0.rax.cast_signed() {
            failed @ -4095..=-1 => {
                Err(io::Error::from_raw_os_error(i32::try_from(-failed).expect("it is at most 4095")))
            }
            _ => Ok(self.0.rax),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use super::super::super::page::{CLOCKS, Parameters, Point};
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    /// Page with the code, in our own memory.
    struct Page(*mut libc::c_void);

    impl Page {
        fn new(parameters: &Parameters) -> Self {
            let rights = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: a new mapping, which nobody else knows.
            let page = Self(unsafe { libc::mmap(null_mut(), page::LENGTH, rights, flags, -1, 0) });
            assert_ne!(page.0, libc::MAP_FAILED);
            let bytes = page::page(parameters, code());
            // SAFETY: it is as long as a page.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), page.0.cast(), bytes.len()) };
            page
        }

        fn function(&self, function: usize) -> *mut u8 {
            // SAFETY: the place is in the page.
            unsafe { self.0.cast::<u8>().add(place_in_page(function)) }
        }

        fn clock_gettime(&self, clock: i32, time: *mut libc::timespec) -> i32 {
            type Function = extern "C" fn(i32, *mut libc::timespec) -> i32;
            // SAFETY: the code there has these arguments and this result.
            let function = unsafe { std::mem::transmute::<*mut u8, Function>(self.function(0)) };
            function(clock, time)
        }

        /// Reads a clock, ns.
        fn read(&self, clock: usize) -> i64 {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            assert_eq!(self.clock_gettime(i32::try_from(clock).unwrap(), &raw mut time), 0);
            assert!((0..SECOND_NS).contains(&time.tv_nsec), "{time:?}");
            time.tv_sec * SECOND_NS + time.tv_nsec
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // SAFETY: nobody runs it any more.
            assert_eq!(unsafe { libc::munmap(self.0, page::LENGTH) }, 0);
        }
    }

    fn now(clock: usize) -> Option<i64> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel fills the structure in.
        let result = unsafe { libc::clock_gettime(i32::try_from(clock).unwrap(), &raw mut time) };
        (result == 0).then_some(time.tv_sec * SECOND_NS + time.tv_nsec)
    }

    /// Checks that each clock shows what the parameters say, between two honest readings.
    fn check(parameters: &Parameters, strobe: impl Fn(usize, i64) -> i64) {
        let page = Page::new(parameters);
        for clock in 0..CLOCKS {
            // No clock has the number 10 any more, and those of alarms need a device.
            let Some(before) = now(clock) else { continue };
            let shown = page.read(clock);
            let after = now(clock).unwrap();
            let expected = |now| {
                let is_bent = page::is_bent(clock);
                if is_bent { parameters.shown_ns(clock, now) + strobe(clock, now) } else { now }
            };
            assert!((expected(before)..=expected(after)).contains(&shown), "{clock}: {shown}, {}", expected(before));
        }
    }

    #[test]
    fn the_code_shows_what_the_parameters_say() {
        check(&Parameters::HONEST, |_, _| 0);
        for rate in [0.0, 0.001, 0.2, 1.0, 3.0, 1000.0] {
            let mut parameters = Parameters::at_rate(rate);
            for (clock, point) in parameters.points.iter_mut().enumerate() {
                let now_ns = now(clock).unwrap_or_default();
                *point = Point { real_ns: now_ns - 7_000_000_000, shown_ns: 5_999_999_999, strobe_ns: 0 };
            }
            check(&parameters, |_, _| 0);
            for point in &mut parameters.points {
                *point = Point { real_ns: i64::MAX, shown_ns: -1_500_000_001, strobe_ns: 0 };
            }
            check(&parameters, |_, _| 0);
        }
    }

    #[test]
    fn a_strobe_is_there_in_the_first_half_of_each_period() {
        let hour_ns = 3_600_000_000_000_i64;
        for (halves, is_there) in [(0, true), (1, false), (2, true), (5, false)] {
            let mut parameters = Parameters { half_period_ns: 2 * hour_ns.cast_unsigned(), ..Parameters::at_rate(1.0) };
            for (clock, point) in parameters.points.iter_mut().enumerate() {
                let real_ns = now(clock).unwrap_or_default() - (2 * halves + 1) * hour_ns;
                *point = Point { real_ns, shown_ns: real_ns, strobe_ns: 500 };
            }
            // Coarse clocks and the start of the machine may lie before the point, which changes nothing here.
            check(&parameters, |_, _| if is_there { 500 } else { 0 });
        }
    }

    #[test]
    fn wrong_clocks_and_wrong_places_are_refused_as_by_the_kernel() {
        let page = Page::new(&Parameters::at_rate(0.0));
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        for clock in [10, 12, 99, i32::MAX] {
            assert_eq!(page.clock_gettime(clock, &raw mut time), -libc::EINVAL, "{clock}");
        }
        assert_eq!(page.clock_gettime(0, null_mut()), -libc::EFAULT);
        // The clock of a process has a number below 0.
        assert_eq!(page.clock_gettime(-6, &raw mut time), 0);
    }

    #[test]
    fn the_older_functions_follow_the_clock_of_the_day() {
        type TimeOfDay = extern "C" fn(*mut libc::timeval, *mut libc::timezone) -> i32;
        type Time = extern "C" fn(*mut i64) -> i64;
        let mut parameters = Parameters::at_rate(0.0);
        parameters.points[0] = Point { real_ns: 0, shown_ns: 1_234_567_891_999, strobe_ns: 0 };
        let page = Page::new(&parameters);
        // SAFETY: the code there has these arguments and this result.
        let time_of_day = unsafe { std::mem::transmute::<*mut u8, TimeOfDay>(page.function(1)) };
        // SAFETY: likewise.
        let time = unsafe { std::mem::transmute::<*mut u8, Time>(page.function(2)) };
        let mut shown = libc::timeval { tv_sec: 0, tv_usec: 0 };
        assert_eq!((time_of_day(&raw mut shown, null_mut()), shown.tv_sec, shown.tv_usec), (0, 1234, 567_891));
        let mut zone = [7_i32; 2];
        assert_eq!(time_of_day(null_mut(), zone.as_mut_ptr().cast()), 0);
        assert_ne!(zone, [7; 2], "the kernel fills it in");
        assert_eq!(time_of_day(null_mut(), null_mut()), 0);
        let mut seconds = 0;
        assert_eq!((time(&raw mut seconds), seconds, time(null_mut())), (1234, 1234, 1234));
    }

    #[test]
    fn a_jump_leads_where_it_shall() {
        for (from, to) in [(0x7000_0000, 0x7000_1000), (0x7000_1000, 0x7000_0000), (0x7ffd_0000_0000, 0x7ffd_6000_0000)]
        {
            let bytes = jump(from, to).unwrap();
            assert_eq!(jump_target(from, &bytes), Some(to));
        }
        assert_eq!(jump(0x1000, 0x1_0000_0000), None);
        assert_eq!(jump_target(0x1000, &[0x55, 0, 0, 0, 0]), None);
    }
}
