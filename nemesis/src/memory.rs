//! What becomes of a process that the host refuses memory: it ends with a sentence that says so. An abort would look like a fault of ours.

use std::alloc::{GlobalAlloc, Layout, System};

use nix::libc;

/// The system's allocator, as a program's global one.
#[derive(Debug)]
pub struct HostMemory;

/// The exit code for a failure of the host.
const FAILED: libc::c_int = 3;
const MESSAGE: &[u8] = b"error: this host gives no more memory\n\nhint: see `ulimit -v` and the memory that is free; a lower --memory-limit takes less\n";

#[allow(unsafe_code, reason = "an allocator has no safe form")]
// SAFETY: all is left to the system's allocator; what it gives is passed on untouched.
unsafe impl GlobalAlloc for HostMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as promised by the caller.
        given(unsafe { System.realloc(memory, layout, bytes) })
    }
}

#[inline]
fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        refused();
    }
    memory
}

/// Takes no memory, and asks nobody else: the kernel ends what this process has started.
#[cold]
fn refused() -> ! {
    #[allow(unsafe_code, reason = "nothing may be allocated here, so the C library is asked directly")]
    // SAFETY: the text is as long as is said, and the process ends here.
    unsafe {
        libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(FAILED)
    }
}
