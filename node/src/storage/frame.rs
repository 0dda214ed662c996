//! How a record lies in a file: a mark, its length, a checksum, its bytes.
//!
//! The checksum covers the record's place in the file, so that bytes left over from elsewhere are not taken for a record. The mark
//! makes it cheap to look for records behind a damaged one, which is what tells damage from a torn tail.

/// Starts each record.
const MARK: [u8; 4] = *b"\xabSW1";
const HEADER_BYTES: usize = 12;

/// Appends `payload` to `out` as the record at byte `offset` of its file.
pub(super) fn append(out: &mut Vec<u8>, offset: u64, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("records are bounded far below 4 GiB");
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(offset, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The payload of the record at `offset`, and the offset after it; `None` if no whole and undamaged record is there.
pub(super) fn read(file: &[u8], offset: usize) -> Option<(&[u8], usize)> {
    let rest = file.get(offset..)?;
    let (header, rest) = rest.split_at_checked(HEADER_BYTES)?;
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    let payload = rest.get(..usize::try_from(word(4)).ok()?)?;
    let sound = header.starts_with(&MARK) && word(8) == checksum(offset as u64, payload);
    sound.then_some((payload, offset + HEADER_BYTES + payload.len()))
}

/// Whether any undamaged record begins after `offset`.
pub(super) fn any_after(file: &[u8], offset: usize) -> bool {
    let rest = file.get(offset + 1..).unwrap_or_default();
    rest.windows(MARK.len()).enumerate().any(|(at, window)| window == MARK && read(file, offset + 1 + at).is_some())
}

fn checksum(offset: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_records() -> Vec<u8> {
        let mut file = Vec::new();
        append(&mut file, 0, b"one");
        let offset = file.len() as u64;
        append(&mut file, offset, b"two");
        file
    }

    #[test]
    fn records_are_read_back_one_after_the_other() {
        let file = two_records();
        let (first, next) = read(&file, 0).unwrap();
        let (second, end) = read(&file, next).unwrap();
        assert_eq!((first, second, end), (&b"one"[..], &b"two"[..], file.len()));
        assert_eq!(read(&file, end), None);
    }

    #[test]
    fn any_flipped_bit_spoils_the_record() {
        let sound = two_records();
        let (_, next) = read(&sound, 0).unwrap();
        for bit in 0..next * 8 {
            let mut file = sound.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&file, 0), None, "bit {bit}");
            assert!(any_after(&file, 0), "the second is still found");
        }
    }

    #[test]
    fn a_record_out_of_place_is_none() {
        let file = two_records();
        let (_, next) = read(&file, 0).unwrap();
        assert_eq!(read(&file[next..], 0), None);
        assert!(!any_after(&file, next));
    }
}
