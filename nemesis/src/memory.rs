//! Exit of a process that the host refuses memory: a message that says so, instead of an abort, which would look like
//! a bug in this program.

use std::alloc::{GlobalAlloc, Layout, System};

use nix::libc;

/// System allocator, for use as a program's global one, that ends the process if memory is refused.
#[derive(Debug)]
pub struct HostMemory;

/// Exit code for a failure of the host.
const FAILED: libc::c_int = 3;
const MESSAGE: &[u8] = b"error: this host refuses more memory\n\nhint: see `ulimit -v` and the free memory; a lower \
--memory-limit takes less\n";

#[allow(unsafe_code, reason = "an allocator has no safe form")]
// SAFETY: everything is delegated to the system allocator, and its result is passed on unchanged.
unsafe impl GlobalAlloc for HostMemory {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        non_null(unsafe { System.alloc(layout) })
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        non_null(unsafe { System.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as promised by the caller.
        non_null(unsafe { System.realloc(memory, layout, bytes) })
    }
}

#[inline]
fn non_null(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        exit_without_memory();
    }
    memory
}

/// Writes the message and exits without allocating and without cleaning up: the kernel ends the processes that this
/// one has started.
#[cold]
fn exit_without_memory() -> ! {
    #[allow(unsafe_code, reason = "nothing may be allocated here, so the C library is asked directly")]
    // SAFETY: the length is that of the text, and the process ends here.
    unsafe {
        libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(FAILED)
    }
}
