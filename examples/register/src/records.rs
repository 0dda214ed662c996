//! Records on disk: a file that only grows, and is read back at the start.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};

/// Length of the header of a record, bytes: the length of its content, and a checksum.
const HEADER: usize = 8;

/// File of records.
#[derive(Debug)]
pub struct Records(File);

impl Records {
    /// Opens the file `log` in a folder, and hands each record to `take`, in order. A record that is cut short was
    /// never acknowledged, and is cut off.
    ///
    /// # Errors
    /// Fails if the file cannot be read, a whole record is damaged, or `take` fails.
    pub fn open(folder: &Path, mut take: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let path = folder.join("log");
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut rest = &bytes[..];
        while let Some(content) = split_off(&mut rest).with_context(|| path.display().to_string())? {
            take(content).with_context(|| path.display().to_string())?;
        }
        file.set_len(u64::try_from(bytes.len() - rest.len())?)?;
        file.sync_all()?;
        Ok(Self(file))
    }

    /// Appends records, and makes them durable if `sync`.
    ///
    /// # Errors
    /// Fails if the disk does; the node must then end.
    pub fn append<'a>(&mut self, contents: impl IntoIterator<Item = &'a [u8]>, sync: bool) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        for content in contents {
            bytes.extend(u32::try_from(content.len())?.to_le_bytes());
            bytes.extend(crc32fast::hash(content).to_le_bytes());
            bytes.extend(content);
        }
        self.0.write_all(&bytes)?;
        if sync {
            self.0.sync_data()?;
        }
        Ok(())
    }
}

/// Splits the content of the first record off; none if it is cut short.
fn split_off<'a>(bytes: &mut &'a [u8]) -> anyhow::Result<Option<&'a [u8]>> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let Some((content, after)) = rest.split_at_checked(number(0) as usize) else { return Ok(None) };
    if crc32fast::hash(content) != number(4) {
        bail!("a record is damaged");
    }
    *bytes = after;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        Records::open(folder, |content| {
            all.push(content.to_vec());
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn records_are_read_back_a_torn_one_cut_off_and_a_damaged_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut records = Records::open(folder.path(), |_| Ok(())).unwrap();
        records.append([&b"first"[..], b""], true).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() - HEADER {
            fs::write(&path, [&whole[..], &whole[..length]].concat()).unwrap();
            assert_eq!(read(folder.path()).unwrap(), [&b"first"[..], b""], "{length}");
            assert_eq!(fs::read(&path).unwrap(), whole, "{length}");
        }
        let mut damaged = whole;
        damaged[HEADER] ^= 1;
        fs::write(&path, damaged).unwrap();
        let refused = read(folder.path()).unwrap_err();
        assert!(format!("{refused:#}").ends_with("a record is damaged"), "{refused:#}");
    }
}
