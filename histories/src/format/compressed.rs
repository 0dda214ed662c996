//! Compressed histories: gzip and zstd are told by their first bytes and read as a stream; what is written is compressed where the
//! file's name says so.
//!
//! Nothing is unpacked ahead of its reader, and a zstd window is at most 128 MiB: a small file that unpacks to a huge one takes time, not memory.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    path::Path,
};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use ruzstd::{
    decoding::{
        BlockDecodingStrategy, FrameDecoder,
        errors::{FrameDecoderError, ReadFrameHeaderError},
    },
    encoding::{CompressionLevel, compress_to_vec},
};

const BUFFER_BYTES: usize = 256 << 10;
/// How much goes into one zstd frame, bytes: the encoder wants a frame's content at once.
const FRAME_BYTES: usize = 4 << 20;
const MAGIC_BYTES: usize = 4;

/// What a file is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, `.gz`.
    Gzip,
    /// RFC 8878, `.zst`.
    Zstd,
}

impl Compression {
    /// What the end of a file's name says.
    pub fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn of_content(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or one to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The content of `input`, unpacked if it is compressed.
///
/// # Errors
/// Its first bytes cannot be read.
pub fn unpacked<'a>(mut input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start)?;
    let compression = Compression::of_content(&start);
    let whole = Cursor::new(start).chain(input);
    Ok(match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole))),
        Some(Compression::Zstd) => {
            Box::new(Frames { state: State::Between(BufReader::with_capacity(BUFFER_BYTES, whole)) })
        }
    })
}

/// One zstd frame after the other, each with its checksum compared.
struct Frames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Inside(R, Box<FrameDecoder>),
    Over,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                State::Between(source) => self.state = next_frame(source)?,
                State::Inside(mut source, mut frame) => {
                    while frame.can_collect() == 0 && !frame.is_finished() {
                        frame.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1)).map_err(invalid)?;
                    }
                    let count = frame.read(room)?;
                    if count > 0 {
                        self.state = State::Inside(source, frame);
                        return Ok(count);
                    }
                    let promised = frame.get_checksum_from_data();
                    if promised.is_some() && promised != frame.get_calculated_checksum() {
                        return Err(invalid("the zstd frame has another checksum than its content"));
                    }
                    self.state = State::Between(source);
                }
            }
        }
    }
}

fn next_frame<R: BufRead>(mut source: R) -> io::Result<State<R>> {
    if source.fill_buf()?.is_empty() {
        return Ok(State::Over);
    }
    let mut frame = FrameDecoder::new();
    match frame.init(&mut source) {
        Ok(()) => Ok(State::Inside(source, Box::new(frame))),
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            let skipped = io::copy(&mut source.by_ref().take(length.into()), &mut io::sink())?;
            if skipped < u64::from(length) {
                Err(io::ErrorKind::UnexpectedEof.into())
            } else {
                Ok(State::Between(source))
            }
        }
        Err(error) => Err(invalid(error)),
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writes as a file's name says; [`Packer::finish`] has to come last.
#[derive(Debug)]
pub struct Packer<W: Write>(Inner<W>);

#[derive(Debug)]
enum Inner<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    /// What is not in a frame yet.
    Zstd(W, Vec<u8>),
}

impl<W: Write> Packer<W> {
    /// Packs what goes to `out` as the end of `path` says: `.gz`, `.zst`, or not at all.
    pub fn new(path: &Path, out: W) -> Self {
        Self(match Compression::of_name(path) {
            None => Inner::Plain(out),
            Some(Compression::Gzip) => Inner::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Some(Compression::Zstd) => Inner::Zstd(out, Vec::new()),
        })
    }

    /// Writes what is left, and the end that the format demands.
    ///
    /// # Errors
    /// `out` said no.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Inner::Plain(mut out) => out.flush(),
            Inner::Gzip(out) => out.finish()?.flush(),
            Inner::Zstd(mut out, rest) => {
                write_frame(&mut out, &rest)?;
                out.flush()
            }
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(out) => out.write(bytes),
            Inner::Gzip(out) => out.write(bytes),
            Inner::Zstd(out, frame) => {
                if frame.len() >= FRAME_BYTES {
                    write_frame(out, frame)?;
                    frame.clear();
                }
                let count = bytes.len().min(FRAME_BYTES);
                frame.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(out) | Inner::Zstd(out, _) => out.flush(),
            Inner::Gzip(out) => out.flush(),
        }
    }
}

fn write_frame(out: &mut impl Write, content: &[u8]) -> io::Result<()> {
    out.write_all(&compress_to_vec(content, CompressionLevel::Fastest))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::{FRAME_BYTES, Packer, unpacked};

    fn packed(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut packer = Packer::new(name.as_ref(), &mut bytes);
        packer.write_all(content).unwrap();
        packer.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        unpacked(bytes)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_is_packed_comes_back() {
        let long: Vec<u8> = (0..FRAME_BYTES + 70_000).map(|i| b"abcdef\n{}"[i * i % 9]).collect();
        for content in [&b""[..], b"x", b"{\"process\":0}\n", &long] {
            for name in ["h.jsonl", "h.jsonl.gz", "h.edn.zst"] {
                let bytes = packed(name, content);
                assert!(read(&bytes).unwrap() == content, "{name}, {} bytes", content.len());
                assert!(content.len() < 1000 || name == "h.jsonl" || bytes.len() < content.len() / 2, "{name}");
                let twice = [&bytes[..], &bytes].concat();
                assert!(read(&twice).unwrap() == [content, content].concat(), "one after the other: {name}");
            }
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_noticed() {
        let content = b"{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n".repeat(50);
        for name in ["h.gz", "h.zst"] {
            let bytes = packed(name, &content);
            for length in 4..bytes.len() {
                assert!(read(&bytes[..length]).is_err(), "{name} cut to {length}");
            }
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= 0x11;
                // Some bits of a header mean nothing; the content never changes unnoticed.
                assert!(read(&changed).map_or(true, |read| read == content || read == changed), "{name} at {place}");
            }
        }
    }

    #[test]
    fn a_frame_that_is_to_be_skipped_is() {
        let skipped = [0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        assert_eq!(read(&[&skipped[..], &packed("h.zst", b"yes"), &skipped].concat()).unwrap(), b"yes");
        assert!(read(&skipped[..9]).is_err());
    }
}
