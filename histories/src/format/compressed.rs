//! Compressed histories: gzip and zstd are detected by their first bytes and read as a stream; output is compressed
//! if the name of its file says so.
//!
//! Nothing is unpacked ahead of the reader, and a zstd window is at most 128 MiB: a small file that unpacks to a huge
//! one takes time, not memory.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    path::Path,
};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use ruzstd::{
    decoding::{BlockDecodingStrategy, FrameDecoder},
    encoding::{CompressionLevel, compress_to_vec},
};

const BUFFER_BYTES: usize = 256 << 10;
/// Size of the content of one zstd frame, bytes: the encoder needs it at once.
const FRAME_BYTES: usize = 4 << 20;
const MAGIC_BYTES: usize = 4;

/// Compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Gzip: RFC 1952, `.gz`.
    Gzip,
    /// Zstandard: RFC 8878, `.zst`.
    Zstd,
}

impl Compression {
    /// Returns the compression that the extension of a file's name stands for.
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
            // A zstd frame, or a skippable one.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Returns the content of `input`, unpacked if it is compressed.
///
/// # Errors
/// Returns an error if its first bytes cannot be read.
pub fn unpacked<'a>(input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    unpacked_within(input, |_| Ok(()))
}

/// Unpacks as [`unpacked`] does; `ask` is called with a number of bytes before that much memory is taken at once.
pub(super) fn unpacked_within<'a>(
    mut input: impl Read + 'a,
    ask: impl Fn(usize) -> io::Result<()> + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start)?;
    let compression = Compression::of_content(&start);
    let whole = Cursor::new(start).chain(input);
    Ok(match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole))),
        Some(Compression::Zstd) => {
            Box::new(Frames { source: BufReader::with_capacity(BUFFER_BYTES, whole), frame: None, ask, is_over: false })
        }
    })
}

/// Reader of consecutive zstd frames that verifies the checksum of each.
struct Frames<R: BufRead, A> {
    source: R,
    frame: Option<Frame>,
    ask: A,
    is_over: bool,
}

/// State of a frame that is being unpacked.
struct Frame {
    decoder: Box<FrameDecoder>,
    /// Window size: the number of bytes unpacked last that the decoder has to keep.
    window: u64,
    /// Number of bytes unpacked so far.
    bytes: u64,
    /// Number of bytes that the decoder may hold, as far as `ask` granted them.
    granted: usize,
}

/// Maximum size of a zstd block, bytes.
const BLOCK_BYTES: u64 = 128 << 10;

impl<R: BufRead, A: Fn(usize) -> io::Result<()>> Read for Frames<R, A> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() || self.is_over {
            return Ok(0);
        }
        // After any error there is nothing more to read.
        let result = self.read_on(room);
        self.is_over = !matches!(result, Ok(1..));
        result
    }
}

impl<R: BufRead, A: Fn(usize) -> io::Result<()>> Frames<R, A> {
    fn read_on(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.frame = begin_frame(&mut self.source)?;
                continue;
            };
            let count = frame.read(room, &mut self.source, &self.ask)?;
            if count > 0 {
                return Ok(count);
            }
            self.frame = None;
        }
    }
}

impl Frame {
    fn read(
        &mut self,
        room: &mut [u8],
        source: &mut impl BufRead,
        ask: impl Fn(usize) -> io::Result<()>,
    ) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            // The decoder doubles its buffer as it needs more.
            let needs = usize::try_from(self.bytes.min(self.window) + 2 * BLOCK_BYTES).unwrap_or(usize::MAX);
            if needs > self.granted {
                self.granted = needs.checked_next_power_of_two().unwrap_or(usize::MAX);
                ask(self.granted)?;
            }
            self.decoder.decode_blocks(&mut *source, BlockDecodingStrategy::UptoBlocks(1)).map_err(invalid)?;
            self.bytes += BLOCK_BYTES;
        }
        let count = self.decoder.read(room)?;
        if count == 0 {
            let promised = self.decoder.get_checksum_from_data();
            if promised.is_some() && promised != self.decoder.get_calculated_checksum() {
                return Err(invalid("the zstd frame has another checksum than its content"));
            }
        }
        Ok(count)
    }
}

/// Reads the header of a frame; skips a skippable frame and returns none.
fn begin_frame(source: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut header = vec![0; MAGIC_BYTES];
    source.read_exact(&mut header)?;
    if header[1..] == [0x2a, 0x4d, 0x18] && header[0] & 0xf0 == 0x50 {
        let mut length = [0; 4];
        source.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        let skipped = io::copy(&mut source.take(length), &mut io::sink())?;
        return if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
    }
    // RFC 8878, section 3.1.1.1: one byte tells which of the other fields are present.
    read_more(source, &mut header, 1)?;
    let says = header[MAGIC_BYTES];
    let is_single = says & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(says & 3)];
    let size = [usize::from(is_single), 2, 4, 8][usize::from(says >> 6)];
    read_more(source, &mut header, usize::from(!is_single) + dictionary + size)?;
    let window = if is_single {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&header[header.len() - size..]);
        u64::from_le_bytes(bytes) + if size == 2 { 256 } else { 0 }
    } else {
        let (exponent, mantissa) = (header[MAGIC_BYTES + 1] >> 3, header[MAGIC_BYTES + 1] & 7);
        let base = 1_u64 << (10 + exponent);
        base + base / 8 * u64::from(mantissa)
    };
    let mut decoder = Box::new(FrameDecoder::new());
    decoder.init(&header[..]).map_err(invalid)?;
    Ok(Some(Frame { decoder, window, bytes: 0, granted: 0 }))
}

fn read_more(source: &mut impl BufRead, header: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let known = header.len();
    header.resize(known + count, 0);
    source.read_exact(&mut header[known..])
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writer that compresses as the name of its file says; [`Packer::finish`] must be called last.
#[derive(Debug)]
pub struct Packer<W: Write>(Inner<W>);

#[derive(Debug)]
enum Inner<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    /// Output, and the content that is not in a frame yet.
    Zstd(W, Vec<u8>),
}

impl<W: Write> Packer<W> {
    /// Creates a writer to `out` that compresses as the extension of `path` says: `.gz`, `.zst`, or not at all.
    pub fn new(path: &Path, out: W) -> Self {
        Self(match Compression::of_name(path) {
            None => Inner::Plain(out),
            Some(Compression::Gzip) => Inner::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Some(Compression::Zstd) => Inner::Zstd(out, Vec::new()),
        })
    }

    /// Writes what is buffered, and the trailer of the format.
    ///
    /// # Errors
    /// Returns an error if `out` cannot be written.
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
                // Some bits of a header mean nothing, but the content never changes unnoticed.
                assert!(read(&changed).map_or(true, |read| read == content || read == changed), "{name} at {place}");
            }
        }
    }

    #[test]
    fn memory_for_a_window_is_asked_for_as_it_is_filled() {
        let content = vec![b'x'; 9 << 20];
        let mut bytes = packed("h.zst", &content);
        let asked = std::cell::RefCell::new(Vec::new());
        let mut unpacking = super::unpacked_within(&bytes[..], |needs| {
            asked.borrow_mut().push(needs);
            Ok(())
        })
        .unwrap();
        assert_eq!(std::io::copy(&mut unpacking, &mut std::io::sink()).unwrap(), content.len() as u64);
        drop(unpacking);
        assert!(asked.borrow().iter().all(|needs| *needs <= 2 * FRAME_BYTES), "{asked:?}");
        assert!(asked.borrow().iter().any(|needs| *needs >= 256 << 10), "{asked:?}");
        let refuse = |needs| if needs >= 256 << 10 { Err(std::io::Error::other("too much")) } else { Ok(()) };
        let mut unpacking = super::unpacked_within(&bytes[..], refuse).unwrap();
        let mut room = Vec::new();
        assert_eq!(unpacking.read_to_end(&mut room).unwrap_err().to_string(), "too much");
        drop(unpacking);
        bytes.truncate(bytes.len() - 1);
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_frame_that_is_to_be_skipped_is() {
        let skipped = [0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        assert_eq!(read(&[&skipped[..], &packed("h.zst", b"yes"), &skipped].concat()).unwrap(), b"yes");
        assert!(read(&skipped[..9]).is_err());
    }
}
