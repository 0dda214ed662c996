//! Frames as bytes: what a fault must know and change of Ethernet, IPv4, UDP and TCP (RFC 791, 768, 9293), and
//! checksums (RFC 1071, 1624). Pure.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

/// Length of an Ethernet header.
pub(crate) const ETHERNET_BYTES: usize = 14;
const IPV4_TYPE: [u8; 2] = [8, 0];
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Lengths of headers without options.
const IPV4_BYTES: usize = 20;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
/// Places of the checksums in the headers of TCP and UDP.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

/// Flags of TCP.
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// Packet of IPv4 in a frame, by places in the frame.
struct Ipv4Packet {
    protocol: u8,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    /// Place of the content, without padding; none of a fragment, whose parts mean nothing alone.
    content: Option<Range<usize>>,
    end: usize,
}

impl Ipv4Packet {
    /// Finds the packet of a frame, if it is a whole one.
    fn of(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET_BYTES..).filter(|_| frame[12..ETHERNET_BYTES] == IPV4_TYPE)?;
        let header = packet.first_chunk::<IPV4_BYTES>()?;
        let (begin, length) =
            (usize::from(header[0] & 15) * 4, usize::from(u16::from_be_bytes([header[2], header[3]])));
        if header[0] >> 4 != 4 || begin < IPV4_BYTES || length < begin || packet.len() < length {
            return None;
        }
        let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
        let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let end = ETHERNET_BYTES + length;
        let content = (!is_fragment).then_some(ETHERNET_BYTES + begin..end);
        Some(Self { protocol: header[9], source: address(12), destination: address(16), content, end })
    }
}

/// Segment of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    pub(super) sequence_number: u32,
    /// Next byte that the sender expects; it means nothing without [`ACK`].
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
    /// Bytes of the stream that it takes, a [`SYN`] and a [`FIN`] included.
    pub(super) length: u32,
}

impl Segment {
    /// Finds the segment of a frame, if it carries a whole one.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let packet = Ipv4Packet::of(frame).filter(|packet| packet.protocol == TCP)?;
        let content = &frame[packet.content?];
        let header = content.first_chunk::<TCP_BYTES>()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let double = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let data = content.len().checked_sub(usize::from(header[12] >> 4) * 4)?;
        let flags = header[13];
        let marks = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        Some(Self {
            source: SocketAddrV4::new(packet.source, word(0)),
            destination: SocketAddrV4::new(packet.destination, word(2)),
            sequence_number: double(4),
            acknowledged: double(8),
            flags,
            length: u32::try_from(data).ok()? + marks,
        })
    }

    /// Returns the frame of this segment, without data, and without Ethernet addresses.
    pub(super) fn frame(&self) -> Vec<u8> {
        let total = u16::try_from(IPV4_BYTES + TCP_BYTES).expect("headers are short").to_be_bytes();
        let [source, destination] = [self.source, self.destination].map(|end| end.ip().octets());
        let mut header = [0; IPV4_BYTES];
        // Version 4, five words; not to be divided; at most 64 routers on the way.
        header[..10].copy_from_slice(&[0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, TCP]);
        header[12..16].copy_from_slice(&source);
        header[16..].copy_from_slice(&destination);
        let checksum = (!ones_sum(0, &header)).to_be_bytes();
        header[10..12].copy_from_slice(&checksum);
        let mut segment = Vec::with_capacity(TCP_BYTES);
        segment.extend([self.source.port(), self.destination.port()].map(u16::to_be_bytes).as_flattened());
        segment.extend([self.sequence_number, self.acknowledged].map(u32::to_be_bytes).as_flattened());
        segment.extend([0x50, self.flags, 0, 0, 0, 0, 0, 0]);
        let sum = ones_sum(0, &[source, destination].concat());
        let sum = ones_sum(sum, &[0, TCP, 0, u8::try_from(TCP_BYTES).expect("a header is short")]);
        let checksum = (!ones_sum(sum, &segment)).to_be_bytes();
        segment[TCP_CHECKSUM..TCP_CHECKSUM + 2].copy_from_slice(&checksum);
        let mut frame = vec![0; ETHERNET_BYTES];
        frame[12..].copy_from_slice(&IPV4_TYPE);
        frame.extend(header);
        frame.extend(segment);
        frame
    }
}

/// Flips a bit of what UDP or TCP carries, and makes their checksum fit; returns false if they carry nothing.
pub(super) fn flip_data(frame: &mut [u8], random: impl FnOnce(usize) -> usize) -> bool {
    let Some(Ipv4Packet { protocol, content: Some(content), .. }) = Ipv4Packet::of(frame) else { return false };
    let (header, checksum) = match protocol {
        TCP => match frame[content.clone()].get(12) {
            Some(words) => (usize::from(words >> 4) * 4, TCP_CHECKSUM),
            None => return false,
        },
        UDP => (UDP_BYTES, UDP_CHECKSUM),
        _ => return false,
    };
    let content = &mut frame[content];
    if content.len() <= header.max(checksum + 2) {
        return false;
    }
    let bit = random((content.len() - header) * 8);
    let at = header + bit / 8;
    // Checksums add words of two bytes, from the beginning of the header on.
    let place = |byte: u8| if at.is_multiple_of(2) { u16::from(byte) << 8 } else { u16::from(byte) };
    let before = place(content[at]);
    content[at] ^= 1 << (bit % 8);
    let after = place(content[at]);
    let old = u16::from_be_bytes([content[checksum], content[checksum + 1]]);
    if protocol == UDP && old == 0 {
        return true;
    }
    let new = !add(add(!old, !before), after);
    let new = if protocol == UDP && new == 0 { u16::MAX } else { new };
    content[checksum..checksum + 2].copy_from_slice(&new.to_be_bytes());
    true
}

/// Flips a bit behind the Ethernet header, of which no checksum knows; not in padding, where nobody would see it.
/// Returns false if there is nothing.
pub(super) fn flip_any(frame: &mut [u8], random: impl FnOnce(usize) -> usize) -> bool {
    let end = Ipv4Packet::of(frame).map_or(frame.len(), |packet| packet.end);
    let bits = end.saturating_sub(ETHERNET_BYTES) * 8;
    if bits == 0 {
        return false;
    }
    let bit = random(bits);
    frame[ETHERNET_BYTES + bit / 8] ^= 1 << (bit % 8);
    true
}

/// Adds words of two bytes to a sum, in ones' complement.
fn ones_sum(sum: u16, bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
    bytes.chunks(2).map(word).fold(sum, add)
}

fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::packet) fn end(node: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, node), port)
    }

    /// Returns a segment of n1 to n2 with these flags and numbers, and with data behind its header.
    pub(in crate::packet) fn segment(flags: u8, sequence_number: u32, acknowledged: u32, data: &[u8]) -> Vec<u8> {
        let (source, destination) = (end(1, 4000), end(2, 80));
        let mut frame = Segment { source, destination, sequence_number, acknowledged, flags, length: 0 }.frame();
        frame.extend(data);
        let length = u16::try_from(frame.len() - ETHERNET_BYTES).unwrap();
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        set_checksum(&mut frame, TCP, TCP_CHECKSUM);
        frame
    }

    fn datagram(data: &[u8], has_checksum: bool) -> Vec<u8> {
        let mut frame = segment(0, 0, 0, &[])[..ETHERNET_BYTES + IPV4_BYTES].to_vec();
        let length = u16::try_from(UDP_BYTES + data.len()).unwrap();
        frame.extend([4000, 80, length, 0].map(u16::to_be_bytes).as_flattened());
        frame.extend(data);
        let total = u16::try_from(frame.len() - ETHERNET_BYTES).unwrap();
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[ETHERNET_BYTES + 9] = UDP;
        if has_checksum {
            set_checksum(&mut frame, UDP, UDP_CHECKSUM);
        }
        frame
    }

    /// Returns the sum over the pseudo header and what the packet carries: all ones if its checksum fits.
    fn sum(frame: &[u8], protocol: u8) -> u16 {
        let content = &frame[ETHERNET_BYTES + IPV4_BYTES..];
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let pseudo = [&frame[26..34], &[0, protocol], &length].concat();
        ones_sum(ones_sum(0, &pseudo), content)
    }

    fn set_checksum(frame: &mut [u8], protocol: u8, at: usize) {
        let at = ETHERNET_BYTES + IPV4_BYTES + at;
        frame[at..at + 2].copy_from_slice(&[0, 0]);
        let checksum = (!sum(frame, protocol)).to_be_bytes();
        frame[at..at + 2].copy_from_slice(&checksum);
    }

    #[test]
    fn a_segment_is_read_as_it_was_written() {
        let frame = segment(SYN | ACK, 7, 9, b"abc");
        let expected = Segment {
            source: end(1, 4000),
            destination: end(2, 80),
            sequence_number: 7,
            acknowledged: 9,
            flags: SYN | ACK,
            length: 4,
        };
        assert_eq!(Segment::of(&frame), Some(expected));
        let bare = Segment { length: 0, flags: RST, ..expected };
        assert_eq!(Segment::of(&bare.frame()), Some(bare));
        assert_eq!(ones_sum(0, &bare.frame()[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES]), u16::MAX);
        assert_eq!(sum(&bare.frame(), TCP), u16::MAX);
        for cut in 0..ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES {
            assert_eq!(Segment::of(&bare.frame()[..cut]), None, "{cut} bytes are none");
        }
        assert_eq!(Segment::of(&datagram(b"abc", true)), None);
        let mut fragment = frame;
        fragment[ETHERNET_BYTES + 7] = 1;
        assert_eq!(Segment::of(&fragment), None);
    }

    #[test]
    fn a_bit_of_the_data_is_flipped_and_the_checksum_fits() {
        let data = b"abcde";
        for (frame, protocol) in
            [(segment(ACK, 1, 1, data), TCP), (datagram(data, true), UDP), (datagram(data, false), UDP)]
        {
            let begin = frame.len() - data.len();
            for bit in 0..data.len() * 8 {
                let mut flipped = frame.clone();
                assert!(flip_data(&mut flipped, |bits| {
                    assert_eq!(bits, data.len() * 8);
                    bit
                }));
                let differing: u32 = (begin..frame.len()).map(|at| (frame[at] ^ flipped[at]).count_ones()).sum();
                assert_eq!(differing, 1);
                if sum(&frame, protocol) == u16::MAX {
                    assert_eq!(sum(&flipped, protocol), u16::MAX, "bit {bit} of {protocol}");
                }
            }
        }
        let mut empty = segment(ACK, 1, 1, b"");
        let before = empty.clone();
        assert!(!flip_data(&mut empty, |_| 0) && empty == before);
    }

    #[test]
    fn a_bit_flipped_anywhere_is_never_in_the_padding_and_always_seen() {
        let frame = segment(ACK, 1, 1, b"abc");
        let padded = [&frame[..], &[0; 20]].concat();
        for bit in 0..(frame.len() - ETHERNET_BYTES) * 8 {
            let mut flipped = padded.clone();
            assert!(flip_any(&mut flipped, |bits| {
                assert_eq!(bits, (frame.len() - ETHERNET_BYTES) * 8);
                bit
            }));
            let flipped = &flipped[..frame.len()];
            let header = ones_sum(0, &flipped[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES]);
            let is_seen = header != ones_sum(0, &frame[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES]);
            assert!(is_seen || sum(flipped, TCP) != u16::MAX, "bit {bit}");
        }
        assert!(!flip_any(&mut [0; ETHERNET_BYTES], |_| 0));
    }
}
