//! File through which a node's clock is skewed from outside. A node polls it and applies changes.
//!
//! One ASCII line: `schism-clock v1 <generation> <rate> <jump in ns>`; always of the same length, so that one write
//! replaces it whole.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Single writer of a node's clock file.
#[derive(Debug)]
pub struct ClockFile {
    file: File,
    generation: u64,
}

impl ClockFile {
    /// Creates the file with a correct clock: generation 0, rate 1, no jump.
    ///
    /// # Errors
    /// Returns an error if the file or its folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path)?;
        file.write_all_at(line(0, 1.0, 0).as_bytes(), 0)?;
        Ok(Self { file, generation: 0 })
    }

    /// Makes the clock advance by `rate` seconds per true second from now on, after a jump by `jump_ns`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn set(&mut self, rate: f64, jump_ns: i64) -> io::Result<()> {
        self.generation += 1;
        self.file.write_all_at(line(self.generation, rate, jump_ns).as_bytes(), 0)
    }
}

fn line(generation: u64, rate: f64, jump_ns: i64) -> String {
    format!("schism-clock v1 {generation:020} {rate:014.9} {jump_ns:+020}\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn read(path: &Path) -> (u64, f64, i64) {
        let text = fs::read_to_string(path).unwrap();
        let words: Vec<&str> = text.strip_suffix('\n').unwrap().split(' ').collect();
        assert_eq!(words[..2], ["schism-clock", "v1"]);
        assert_eq!(words.len(), 5);
        (words[2].parse().unwrap(), words[3].parse().unwrap(), words[4].parse().unwrap())
    }

    #[test]
    fn each_setting_replaces_the_line_in_place_with_a_new_generation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n1/clock");
        let mut clock = ClockFile::create(&path).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(read(&path), (0, 1.0, 0));
        clock.set(0.2, -86_400_000_000_000).unwrap();
        assert_eq!(read(&path), (1, 0.2, -86_400_000_000_000));
        clock.set(1000.0, i64::MIN + 1).unwrap();
        assert_eq!(read(&path), (2, 1000.0, i64::MIN + 1));
        clock.set(1.0, 0).unwrap();
        assert_eq!(read(&path), (3, 1.0, 0));
        let after = fs::metadata(&path).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
    }
}
