//! Frames on the wire: four bytes of length, little-endian, and postcard. There is no checksum besides TCP's own.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const LENGTH_BYTES: usize = 4;
/// Size of the pieces in which memory is allocated as a frame arrives, rather than at once for its announced length.
const PIECE_BYTES: usize = 1 << 16;

/// Appends a frame to `out`.
pub(super) fn append(out: &mut Vec<u8>, frame: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    postcard::to_io(frame, &mut *out).expect("a frame is plain data, and memory takes all of it");
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).expect("frames are bounded");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Reads the next frame, of at most `max_bytes`; `buffer` is scratch space.
pub(super) async fn read<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    max_bytes: usize,
) -> io::Result<T> {
    let length = usize::try_from(reader.read_u32_le().await?).unwrap_or(usize::MAX);
    if length > max_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    buffer.clear();
    while buffer.len() < length {
        let start = buffer.len();
        buffer.resize(length.min(start + PIECE_BYTES.max(start)), 0);
        reader.read_exact(&mut buffer[start..]).await?;
    }
    postcard::from_bytes(buffer).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a frame that cannot be read"))
}
