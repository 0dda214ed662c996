//! Frames on the wire: four bytes of length, little-endian, and postcard. TCP's own checksum has to do.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::MAX_FRAME_BYTES;

const LENGTH_BYTES: usize = 4;

/// Appends a frame to `out`.
pub(super) fn append(out: &mut Vec<u8>, frame: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    postcard::to_io(frame, &mut *out).expect("a frame is plain data, and memory takes all of it");
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).expect("frames are bounded");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Reads the next frame; `buffer` is scratch.
pub(super) async fn read<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<T> {
    let length = usize::try_from(reader.read_u32_le().await?).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    buffer.resize(length, 0);
    reader.read_exact(buffer).await?;
    postcard::from_bytes(buffer).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a frame that cannot be read"))
}
