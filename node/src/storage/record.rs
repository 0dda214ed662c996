//! Layout of a record in a file: a mark, its length, the payload's checksum, a checksum of these, the payload, and an
//! end mark.
//!
//! Both checksums cover the record's offset in the file, so that bytes left over from elsewhere are not taken for a
//! record. The header has a checksum of its own, so that a record whose end is missing can be told from one whose
//! length is damaged.
//!
//! After a crash, the last write may be present in part: a prefix, or some of its sectors with zeros for the rest.
//! The marks at both ends ensure that no sector's share of a sound record is all zeros (a command holds text, in
//! which 512 zeros in a row do not occur). So a record that is complete, with something in each sector and a wrong
//! checksum, is not the result of a crash.

/// Mark at the start of each record. Its first byte occurs in no text, so that no value can contain a record.
const MARK: [u8; 4] = *b"\xffSW2";
/// Mark at the end of each record. It has several bits set, so that no single flipped bit makes it zero.
const END: u8 = 0x5a;
/// Number of bytes before the payload.
pub(super) const HEADER_BYTES: usize = 16;
/// Number of bytes that a disk writes or loses as a unit.
const SECTOR_BYTES: usize = 512;

/// Maximum size of a record's payload: its length is stored in four bytes.
pub(super) const MAX_PAYLOAD_BYTES: usize = u32::MAX as usize;

/// Content of a file at one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileContent<'a> {
    /// End of the file.
    End,
    /// Sound record, with the offset after it.
    Record(&'a [u8], usize),
    /// Possible remains of a write after a crash: a prefix, or zeros in place of some sectors.
    Torn,
    /// Content that no crash leaves.
    Damaged,
}

/// Returns the bytes before and after `payload` that make it the record at byte `offset` of its file; `None` if it is
/// too long.
pub(super) fn enclose(offset: u64, payload: &[u8]) -> Option<([u8; HEADER_BYTES], [u8; 1])> {
    header(offset, payload.len(), checksum(offset, payload)).map(|header| (header, [END]))
}

fn header(offset: u64, length: usize, checksum: u32) -> Option<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MARK);
    header[4..8].copy_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    header[8..12].copy_from_slice(&checksum.to_le_bytes());
    let own = self::checksum(offset, &header[..12]);
    header[12..].copy_from_slice(&own.to_le_bytes());
    Some(header)
}

/// Reads the content at `offset`.
pub(super) fn read(file: &[u8], offset: usize) -> FileContent<'_> {
    let rest = file.get(offset..).unwrap_or_default();
    if rest.is_empty() {
        return FileContent::End;
    }
    let torn_or_damaged =
        |end: usize| if has_unwritten_sector(file, offset, end) { FileContent::Torn } else { FileContent::Damaged };
    let Some(header) = rest.get(..HEADER_BYTES) else {
        let begins = MARK.starts_with(&rest[..rest.len().min(MARK.len())]);
        return if begins { FileContent::Torn } else { torn_or_damaged(file.len()) };
    };
    let Some((length, expected)) = parse(header, offset) else { return torn_or_damaged(file.len()) };
    let Some(record) = length.checked_add(HEADER_BYTES + 1).and_then(|bytes| rest.get(..bytes)) else {
        return FileContent::Torn;
    };
    let payload = &record[HEADER_BYTES..record.len() - 1];
    if record.ends_with(&[END]) && checksum(offset as u64, payload) == expected {
        return FileContent::Record(payload, offset + record.len());
    }
    torn_or_damaged(offset + record.len())
}

/// Returns true if a record with a sound header begins after `offset`: this shows that the content at `offset` was
/// complete once.
pub(super) fn any_after(file: &[u8], offset: usize) -> bool {
    let rest = file.get(offset + 1..).unwrap_or_default();
    rest.windows(HEADER_BYTES)
        .zip(offset + 1..)
        .any(|(window, at)| window.starts_with(&MARK) && parse(window, at).is_some())
}

/// Parses a header; returns the payload's length and checksum if the header is sound.
fn parse(header: &[u8], offset: usize) -> Option<(usize, u32)> {
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    let sound = header.starts_with(&MARK) && word(12) == checksum(offset as u64, &header[..12]);
    sound.then_some(()).and(usize::try_from(word(4)).ok()).map(|length| (length, word(8)))
}

/// Returns true if some sector's share of the bytes from `start` to `end` is all zeros.
fn has_unwritten_sector(file: &[u8], start: usize, end: usize) -> bool {
    let mut rest = &file[start..end];
    let mut share = SECTOR_BYTES - start % SECTOR_BYTES;
    while !rest.is_empty() {
        let (sector, after) = rest.split_at(share.min(rest.len()));
        if sector.iter().all(|&byte| byte == 0) {
            return true;
        }
        (rest, share) = (after, SECTOR_BYTES);
    }
    false
}

fn checksum(offset: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds records of these payload lengths, without zeros in the payloads, and returns the file and the start of
    /// each.
    fn records(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let (mut file, mut starts) = (Vec::new(), Vec::new());
        for &length in lengths {
            starts.push(file.len());
            let offset = file.len() as u64;
            let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 255).unwrap() + 1).collect();
            let (header, end) = enclose(offset, &payload).unwrap();
            file.extend_from_slice(&[&header[..], &payload, &end].concat());
        }
        (file, starts)
    }

    fn is_sound(found: FileContent<'_>) -> bool {
        matches!(found, FileContent::Record(..))
    }

    #[test]
    fn records_are_read_back_one_after_the_other() {
        let (file, starts) = records(&[3, 0, 700]);
        let mut at = 0;
        for (start, length) in starts.into_iter().zip([3, 0, 700]) {
            let FileContent::Record(payload, next) = read(&file, at) else { panic!("a record at {at}") };
            assert_eq!((at, payload.len()), (start, length));
            at = next;
        }
        assert_eq!(read(&file, at), FileContent::End);
    }

    /// Tries every length, so that headers, payloads and end marks meet the border of a sector at every byte.
    #[test]
    fn a_flipped_bit_in_the_last_record_is_never_taken_for_a_torn_write() {
        for first in 440..520 {
            let (sound, starts) = records(&[first, 40]);
            for bit in starts[1] * 8..sound.len() * 8 {
                let mut file = sound.clone();
                file[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(&file, starts[1]), FileContent::Damaged, "bit {bit} after {first} bytes");
            }
        }
    }

    #[test]
    fn a_flipped_bit_before_the_last_record_is_shown_by_the_one_behind_it() {
        let (sound, starts) = records(&[3, 3]);
        for bit in 0..starts[1] * 8 {
            let mut file = sound.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&file, 0), FileContent::Damaged, "bit {bit}");
            assert!(any_after(&file, 0), "the second is still found");
        }
        assert!(!any_after(&sound, starts[1]));
    }

    #[test]
    fn a_beginning_of_a_record_is_torn() {
        let (sound, starts) = records(&[30, 700]);
        for length in starts[1] + 1..sound.len() {
            assert_eq!(read(&sound[..length], starts[1]), FileContent::Torn, "{length} bytes");
        }
        assert_eq!(read(&sound[..starts[1]], starts[1]), FileContent::End);
    }

    #[test]
    fn a_record_without_some_of_its_sectors_is_torn() {
        let (sound, starts) = records(&[300, 3000]);
        let mut borders = vec![starts[1]];
        borders.extend(
            (1..=sound.len() / 512).map(|sector| sector * 512).filter(|&at| at > starts[1] && at < sound.len()),
        );
        let sectors = borders.len();
        for lost in 1_u32..1 << sectors {
            let mut file = sound.clone();
            for (number, &start) in borders.iter().enumerate().filter(|(number, _)| lost >> number & 1 == 1) {
                let end = borders.get(number + 1).copied().unwrap_or(sound.len());
                file[start..end].fill(0);
            }
            assert_eq!(read(&file, starts[1]), FileContent::Torn, "without {lost:b}");
            assert!(is_sound(read(&file, 0)));
        }
    }

    #[test]
    fn a_tail_of_zeros_is_torn_and_one_of_anything_else_is_not() {
        let (sound, _) = records(&[30]);
        for zeros in [1, 15, 16, 5000] {
            assert_eq!(read(&[&sound[..], &vec![0; zeros]].concat(), sound.len()), FileContent::Torn);
        }
        for other in [&b"x"[..], b"leftover", &[7; 600]] {
            assert_eq!(read(&[&sound[..], other].concat(), sound.len()), FileContent::Damaged);
        }
    }

    #[test]
    fn a_record_out_of_place_is_none() {
        let (file, starts) = records(&[3, 3]);
        assert_eq!(read(&file[starts[1]..], 0), FileContent::Damaged);
        assert!(!any_after(&file, starts[1]));
    }

    #[test]
    fn a_length_beyond_four_bytes_is_refused() {
        assert!(header(0, MAX_PAYLOAD_BYTES, 7).is_some());
        assert_eq!(header(0, MAX_PAYLOAD_BYTES + 1, 7), None);
    }
}
