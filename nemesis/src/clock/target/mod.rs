//! Machine code, registers and all else that depends on the processor, such as the names of the functions of a vDSO.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "other.rs")]
mod processor;

pub(super) use processor::{
    FUNCTIONS, HIGHEST_ADDRESS, IS_KNOWN, JUMP_BYTES, JUMP_REACH, Registers, SYSCALL, code, jump, jump_target,
    place_in_page,
};
