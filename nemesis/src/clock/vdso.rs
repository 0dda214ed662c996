//! The vDSO of a program: the small library that the kernel puts into each, read from its memory. Pure.

/// Length of the header of an ELF file of 64 bits, bytes.
const HEADER: usize = 64;
/// Length of an entry in its tables of segments, dynamic entries and symbols, bytes.
const SEGMENT: usize = 56;
const DYNAMIC: usize = 16;
const SYMBOL: usize = 24;
/// Kinds of segments and of dynamic entries.
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
/// Maximum number of symbols; the vDSO of Linux has about a dozen.
const MOST_SYMBOLS: usize = 1000;
/// Name of an entry in the auxiliary vector: address of the vDSO.
const AT_SYSINFO_EHDR: u64 = 33;

/// Finds the address of the vDSO in the auxiliary vector of a program of 64 bits, as `/proc/PID/auxv` has it.
pub(super) fn address_in(auxiliary: &[u8]) -> Option<u64> {
    let words = |entry: &[u8]| Some((u64_at(entry, 0)?, u64_at(entry, 8)?));
    let mut entries = auxiliary.chunks_exact(16).filter_map(words);
    entries.find_map(|(name, value)| (name == AT_SYSINFO_EHDR && value != 0).then_some(value))
}

/// Bytes of a vDSO, from its address on.
#[derive(Debug)]
pub(super) struct Image<'a>(&'a [u8]);

impl<'a> Image<'a> {
    /// Takes the bytes for a vDSO, if they begin like an ELF file of 64 bits in the byte order of this host.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let class_and_order = if cfg!(target_endian = "little") { [2, 1] } else { [2, 2] };
        let is_elf = bytes.starts_with(b"\x7fELF") && bytes.get(4..6) == Some(&class_and_order);
        is_elf.then_some(Self(bytes))
    }

    /// Finds the place of a function of at least this length by its name, from the beginning of the image.
    pub(super) fn function(&self, name: &str, least_bytes: usize) -> Option<usize> {
        let [symbols, names] = [self.dynamic(DT_SYMTAB)?, self.dynamic(DT_STRTAB)?];
        (0..self.count_symbols()?.min(MOST_SYMBOLS)).find_map(|number| {
            let symbol = symbols + number * SYMBOL;
            let at = names + u32_at(self.0, symbol)? as usize;
            let rest = self.0.get(at..)?.strip_prefix(name.as_bytes())?;
            let place = usize::try_from(u64_at(self.0, symbol + 8)?).ok()?;
            let is_long_enough = u64_at(self.0, symbol + 16)? >= least_bytes as u64;
            let is_inside = (HEADER..self.0.len()).contains(&place);
            (rest.first() == Some(&0) && is_long_enough && is_inside).then_some(place)
        })
    }

    /// Finds these bytes anywhere in it.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.0.windows(bytes.len()).position(|window| window == bytes)
    }

    /// Returns the length that is mapped, bytes.
    pub(super) fn length(&self) -> Option<u64> {
        let (_, segment) = self.segments().find(|(kind, _)| *kind == PT_LOAD)?;
        u64_at(self.0, segment + 40)
    }

    /// Returns kinds and places of the segments' headers.
    fn segments(&self) -> impl Iterator<Item = (u32, usize)> {
        let first = u64_at(self.0, 32).and_then(|first| usize::try_from(first).ok());
        let count = u16_at(self.0, 56).unwrap_or_default();
        let places =
            first.into_iter().flat_map(move |first| (0..count.into()).map(move |n: usize| first + n * SEGMENT));
        places.filter_map(|place| Some((u32_at(self.0, place)?, place)))
    }

    /// Returns the value of a dynamic entry, which is a place in the image.
    fn dynamic(&self, wanted: u64) -> Option<usize> {
        let (_, segment) = self.segments().find(|(kind, _)| *kind == PT_DYNAMIC)?;
        let table = self.0.get(usize::try_from(u64_at(self.0, segment + 8)?).ok()?..)?;
        let found = table.chunks_exact(DYNAMIC).map_while(|entry| Some((u64_at(entry, 0)?, u64_at(entry, 8)?)));
        let (_, place) = found.take_while(|(tag, _)| *tag != 0).find(|(tag, _)| *tag == wanted)?;
        usize::try_from(place).ok()
    }

    /// Returns the number of symbols, which only the tables by which they are looked up tell.
    fn count_symbols(&self) -> Option<usize> {
        if let Some(table) = self.dynamic(DT_HASH) {
            return Some(u32_at(self.0, table + 4)? as usize);
        }
        let table = self.dynamic(DT_GNU_HASH)?;
        let word = |place: usize| u32_at(self.0, table + 4 * place).map(|word| word as usize);
        let (buckets, first, filters) = (word(0)?, word(1)?, word(2)?);
        let begin = 4 + 2 * filters;
        // The last chain is that of the highest bucket; its end has the lowest bit set.
        let last = (0..buckets.min(MOST_SYMBOLS)).filter_map(|bucket| word(begin + bucket)).max()?;
        let in_chain = |number: usize| word(begin + buckets + number.checked_sub(first)?);
        let end = (last..last + MOST_SYMBOLS).find(|number| in_chain(*number).is_none_or(|hash| hash & 1 == 1))?;
        Some(end + 1)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;

    use super::super::target::{FUNCTIONS, JUMP_BYTES, SYSCALL};
    use super::*;

    #[test]
    fn our_own_is_understood() {
        let address = address_in(&fs::read("/proc/self/auxv").unwrap()).unwrap();
        let mut bytes = vec![0; 1 << 16];
        let read = File::open("/proc/self/mem").unwrap().read_at(&mut bytes, address).unwrap();
        bytes.truncate(read);
        let image = Image::of(&bytes).unwrap();
        for name in FUNCTIONS {
            assert!(image.function(name, JUMP_BYTES).is_some(), "{name}");
            assert_eq!(image.function(name, bytes.len()), None, "it is shorter");
        }
        assert_eq!(image.function("__vdso_clock", 0), None, "a name is compared to its end");
        assert!(image.find(&SYSCALL).is_some());
        assert!(image.length().unwrap() <= read as u64);
        for length in 0..bytes.len().min(5000) {
            // Nothing is read beyond the end, however short it is.
            Image::of(&bytes[..length]).and_then(|image| image.function(FUNCTIONS[0], 0));
        }
        assert!(Image::of(b"\x7fELF\x01\x01").is_none(), "32 bits");
        assert!(Image::of(b"MZ").is_none());
    }
}
