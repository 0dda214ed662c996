//! File descriptors, of which a process has a limited number: some are reserved for peers and for the disk, whatever
//! clients do.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Maximum number of simultaneous client connections, however many descriptors there are.
const MAX_CLIENTS: u64 = 2048;
/// Minimum for the limit of client connections, however few descriptors there are; the storage then uses its own
/// spare ones.
const MIN_CLIENTS: u64 = 8;
/// Descriptors reserved for everything else: two links for each peer, unidentified connections at the peer port,
/// files, and the serving threads' own.
const RESERVED: u64 = 96;

/// Raises this process's limit as far as necessary and permitted.
pub(super) fn take_all() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // This is more than enough, and a limit far above it costs elsewhere.
        let wanted = hard.min(MAX_CLIENTS + RESERVED).max(soft);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).ok(); // what there is has to do
    }
}

/// Returns the maximum number of client connections.
pub(super) fn for_clients() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    clients_of(limit)
}

fn clients_of(limit: u64) -> usize {
    let clients = limit.saturating_sub(RESERVED).clamp(MIN_CLIENTS, MAX_CLIENTS);
    usize::try_from(clients).expect("a few thousand")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_is_left_of_the_descriptors() {
        assert_eq!([0, 64, 128, 1024, 1 << 20].map(clients_of), [8, 8, 32, 928, 2048]);
    }
}
