//! Processors for which there is no machine code yet: nothing is stopped or changed there.

use std::io;

use nix::unistd::Pid;

pub(in super::super) const IS_KNOWN: bool = false;
pub(in super::super) const FUNCTIONS: [&str; 0] = [];
pub(in super::super) const SYSCALL: [u8; 1] = [0];
pub(in super::super) const JUMP_BYTES: usize = 0;
pub(in super::super) const JUMP_REACH: u64 = 0;
pub(in super::super) const HIGHEST_ADDRESS: u64 = 0;

pub(in super::super) fn code() -> &'static [u8] {
    &[]
}

pub(in super::super) fn place_in_page(_function: usize) -> usize {
    0
}

pub(in super::super) fn jump(_from: u64, _to: u64) -> Option<[u8; JUMP_BYTES]> {
    None
}

pub(in super::super) fn jump_target(_from: u64, _code: &[u8]) -> Option<u64> {
    None
}

#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Registers;

impl Registers {
    pub(in super::super) fn of(_thread: Pid) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn set(&self, _thread: Pid) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn instruction(&self) -> u64 {
        0
    }

    pub(in super::super) fn for_mmap(&self, _syscall: u64, _address: u64, _length: u64) -> Self {
        Self
    }

    pub(in super::super) fn result(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
