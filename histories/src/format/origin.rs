//! Source of a history's bytes, which can be read again from the beginning.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// Size of the blocks in which a stream is kept, bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// Source of bytes, with the position of the reader.
pub(super) enum Origin<'a> {
    /// A seekable file, and the position at which the history begins in it.
    File(File, u64),
    /// Bytes in memory, and the number of them that were read.
    Bytes(&'a [u8], usize),
    /// A stream, which cannot be rewound and is therefore kept.
    Stream(Stream),
}

/// Stream, such as a pipe, with the blocks read so far.
pub(super) struct Stream {
    input: File,
    /// Blocks that were read from it.
    blocks: Vec<Vec<u8>>,
    /// Block that is read next, and the position in it.
    at: (usize, usize),
}

impl<'a> Origin<'a> {
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes, 0)
    }

    pub(super) fn of_file(mut file: File) -> io::Result<Self> {
        if file.metadata()?.is_file() {
            let begin = file.stream_position()?;
            return Ok(Self::File(file, begin));
        }
        Ok(Self::Stream(Stream { input: file, blocks: Vec::new(), at: (0, 0) }))
    }

    /// Goes back to the beginning.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, begin) => drop(file.seek(SeekFrom::Start(*begin))?),
            Self::Bytes(_, at) => *at = 0,
            Self::Stream(stream) => stream.at = (0, 0),
        }
        Ok(())
    }
}

impl Read for Origin<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.read(room),
            Self::Bytes(bytes, at) => {
                let count = (&bytes[*at..]).read(room)?;
                *at += count;
                Ok(count)
            }
            Self::Stream(stream) => stream.read(room),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let (block, at) = self.at;
        if let Some(kept) = self.blocks.get(block) {
            let count = (&kept[at..]).read(room)?;
            self.at.1 += count;
            if count > 0 || room.is_empty() {
                return Ok(count);
            }
            if block + 1 < self.blocks.len() {
                self.at = (block + 1, 0);
                return self.read(room);
            }
        }
        let count = self.input.read(room)?;
        let is_full = self.blocks.last().is_none_or(|last| last.len() + count > last.capacity());
        if is_full && count > 0 {
            self.blocks.push(Vec::with_capacity(BLOCK_BYTES.max(count)));
        }
        if let Some(last) = self.blocks.last_mut() {
            last.extend_from_slice(&room[..count]);
            self.at = (self.blocks.len() - 1, self.blocks[self.blocks.len() - 1].len());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        thread,
    };

    use super::Origin;

    #[test]
    fn a_pipe_can_be_read_again() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let text: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let sent = text.clone();
        let sender = thread::spawn(move || writer.write_all(&sent).expect("somebody reads"));
        let mut origin = Origin::of_file(std::os::fd::OwnedFd::from(reader).into()).expect("it is open");
        let mut first = vec![0; 700_001];
        origin.read_exact(&mut first).expect("it is sent");
        for _ in 0..2 {
            origin.rewind().expect("it is kept");
            let mut all = Vec::new();
            origin.read_to_end(&mut all).expect("it is sent");
            assert!(all == text);
        }
        sender.join().expect("it sends all");
    }
}
