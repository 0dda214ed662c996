//! Content of a file in memory: sparse pages, which copies share until one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Length of a page in bytes.
pub(super) const PAGE: usize = 4096;

type Page = [u8; PAGE];

/// Bytes of a file. A page that is not there is zero. No page reaches beyond the size with bytes that are not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    size: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the number of pages that take memory.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Returns the number of pages that a write there would add.
    pub(super) fn missing(&self, offset: u64, length: usize) -> usize {
        parts(offset, length).filter(|part| !self.pages.contains_key(&part.page)).count()
    }

    /// Returns up to `length` bytes from `offset` on; fewer at the end of the file.
    pub(super) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        for part in parts(offset, bytes.len()) {
            if let Some(page) = self.pages.get(&part.page) {
                bytes[part.at..part.at + part.length].copy_from_slice(&page[part.from..part.from + part.length]);
            }
        }
        bytes
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for part in parts(offset, bytes.len()) {
            let page = self.pages.entry(part.page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[part.from..part.from + part.length]
                .copy_from_slice(&bytes[part.at..part.at + part.length]);
        }
        self.size = self.size.max(offset.saturating_add(bytes.len() as u64));
    }

    /// Cuts the file off or extends it by zeros.
    pub(super) fn resize(&mut self, size: u64) {
        if size < self.size {
            self.pages.split_off(&size.div_ceil(PAGE as u64));
            self.zero_within(size / PAGE as u64, within(size)..PAGE);
        }
        self.size = size;
    }

    /// Turns a range into zeros; the size stays.
    pub(super) fn zero(&mut self, offset: u64, length: u64) {
        let (first, end) = (offset / PAGE as u64, offset.saturating_add(length));
        let last = end / PAGE as u64;
        if first == last {
            return self.zero_within(first, within(offset)..within(end));
        }
        self.zero_within(first, within(offset)..PAGE);
        self.zero_within(last, 0..within(end));
        let whole: Vec<u64> = self.pages.range(first + 1..last).map(|(page, _)| *page).collect();
        for page in whole {
            self.pages.remove(&page);
        }
    }

    fn zero_within(&mut self, page: u64, range: std::ops::Range<usize>) {
        if let Some(page) = self.pages.get_mut(&page)
            && !range.is_empty()
        {
            Arc::make_mut(page)[range].fill(0);
        }
    }

    /// Makes the pages of a range, and the size, those of another content, by sharing them.
    pub(super) fn share(&mut self, of: &Self, offset: u64, length: u64) {
        self.resize(of.size);
        let first = offset / PAGE as u64;
        let end = offset.saturating_add(length).div_ceil(PAGE as u64).max(first);
        let old: Vec<u64> = self.pages.range(first..end).map(|(page, _)| *page).collect();
        for page in old {
            self.pages.remove(&page);
        }
        self.pages.extend(of.pages.range(first..end).map(|(page, bytes)| (*page, Arc::clone(bytes))));
    }

    /// Inverts a bit of the file.
    pub(super) fn flip(&mut self, bit: u64) {
        let mut byte = self.read(bit / 8, 1);
        if let Some(byte) = byte.first_mut() {
            *byte ^= 1 << (bit % 8);
            self.write(bit / 8, &[*byte]);
        }
    }
}

/// Part of a range that lies within one page.
struct Part {
    page: u64,
    /// Place within the page.
    from: usize,
    /// Place within the range.
    at: usize,
    length: usize,
}

fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < length).then(|| {
            let place = offset.saturating_add(at as u64);
            let from = within(place);
            let part = Part { page: place / PAGE as u64, from, at, length: (PAGE - from).min(length - at) };
            at += part.length;
            part
        })
    })
}

fn within(offset: u64) -> usize {
    usize::try_from(offset % PAGE as u64).expect("a remainder of 4096 is small")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn it_behaves_like_a_vector_of_bytes() {
        let mut random = Random::split(3, "content");
        let (mut content, mut bytes): (Content, Vec<u8>) = <_>::default();
        for step in 0..3000_u32 {
            let (offset, length) = (random.below(5 * PAGE), random.below(2 * PAGE));
            let end = (offset + length).min(bytes.len());
            match random.below(4) {
                0 | 1 => {
                    let part = vec![step.to_le_bytes()[0]; length];
                    content.write(offset as u64, &part);
                    bytes.resize(bytes.len().max(offset + length), 0);
                    bytes[offset..offset + length].copy_from_slice(&part);
                }
                2 => {
                    content.zero(offset as u64, length as u64);
                    if offset < end {
                        bytes[offset..end].fill(0);
                    }
                }
                _ => {
                    content.resize(offset as u64);
                    bytes.resize(offset, 0);
                }
            }
            assert_eq!(content.size(), bytes.len() as u64);
            let end = (offset + length).min(bytes.len()).max(offset.min(bytes.len()));
            assert_eq!(content.read(offset as u64, length), bytes[offset.min(bytes.len())..end], "step {step}");
        }
        assert_eq!(content.read(0, usize::MAX), bytes);
    }

    #[test]
    fn what_was_reserved_takes_no_memory_and_copies_share_their_pages() {
        let mut content = Content::default();
        content.resize(64 << 20);
        assert_eq!((content.size(), content.pages()), (64 << 20, 0));
        content.write(5 * PAGE as u64 - 1, b"ab");
        let mut copy = content.clone();
        assert!(Arc::ptr_eq(&content.pages[&4], &copy.pages[&4]));
        copy.flip(8 * 5 * PAGE as u64);
        assert_eq!((copy.read(5 * PAGE as u64, 1), content.read(5 * PAGE as u64, 1)), (vec![b'c'], vec![b'b']));
        copy.share(&content, 5 * PAGE as u64, 1);
        assert_eq!(copy, content);
    }
}
