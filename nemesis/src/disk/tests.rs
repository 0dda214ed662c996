//! Tests of the image: against a plain oracle of bytes, and of the rules of entries.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::time::SystemTime;

use nix::errno::Errno;

use super::fault::{EntryRule, LossMode};
use super::image::{Attributes, File, Folder, Image, Kind, ROOT};
use super::unsynced::Inode;
use crate::random::Random;

const FILES: usize = 3;
const CAPACITY_BYTES: usize = 1 << 20;

fn attributes() -> Attributes {
    let time = SystemTime::UNIX_EPOCH;
    Attributes { permissions: 0o600, user: 0, group: 0, accessed: time, modified: time, changed: time }
}

fn empty(rule: EntryRule) -> Image {
    Image::new(rule, CAPACITY_BYTES, attributes())
}

fn make(image: &mut Image, folder: Inode, name: &str) -> Inode {
    image.create(folder, OsStr::new(name), Kind::File(File::default()), attributes()).unwrap()
}

fn make_folder(image: &mut Image, name: &str) -> Inode {
    image.create(ROOT, OsStr::new(name), Kind::Folder(Folder::default()), attributes()).unwrap()
}

fn bytes(image: &Image, inode: Inode) -> Vec<u8> {
    image.file(inode).unwrap().now.read(0, usize::MAX)
}

/// Returns the names in a folder, each with what its file holds.
fn names(image: &Image, folder: Inode) -> Vec<(String, String)> {
    let text = |inode: &Inode| image.file(*inode).map_or("folder".into(), |file| file.now.read(0, usize::MAX));
    let entries = image.entries(folder).unwrap().iter();
    entries.map(|(name, inode)| (name.display().to_string(), String::from_utf8(text(inode)).unwrap())).collect()
}

fn lose(image: &Image, mode: LossMode, draw: u64) -> Image {
    let mut image = image.clone();
    image.lose_power(mode, &mut Random::split(draw, "power"));
    image
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

/// Change to a file of the oracle.
#[derive(Clone)]
enum Step {
    Write(usize, Vec<u8>),
    Resize(usize),
    Zero(usize, usize),
}

impl Step {
    fn draw(random: &mut Random) -> Self {
        let offset = random.below(9000);
        match random.below(6) {
            0 => Self::Resize(offset),
            1 => Self::Zero(offset, random.below(6000)),
            _ => Self::Write(offset, vec![1 + random.next_u64().to_le_bytes()[0] % 255; 1 + random.below(6000)]),
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, part) => {
                bytes.resize(bytes.len().max(offset + part.len()), 0);
                bytes[*offset..offset + part.len()].copy_from_slice(part);
            }
            Self::Resize(size) => bytes.resize(*size, 0),
            Self::Zero(offset, length) => {
                let end = (offset + length).min(bytes.len());
                if *offset < end {
                    bytes[*offset..end].fill(0);
                }
            }
        }
    }

    /// Returns the beginnings of a write that a torn one can leave behind.
    fn torn(&self) -> Vec<Self> {
        let Self::Write(offset, part) = self else { return vec![] };
        let cuts = (1..part.len()).filter(|length| (offset + length).is_multiple_of(512));
        cuts.map(|length| Self::Write(*offset, part[..length].to_vec())).collect()
    }
}

type Bytes = [Vec<u8>; FILES];

/// Returns all that files may hold after a power loss, by definition.
fn allowed(mode: LossMode, durable: &Bytes, unsynced: &[(usize, Step)]) -> BTreeSet<Bytes> {
    let after = |steps: &mut dyn Iterator<Item = &(usize, Step)>| {
        let mut files = durable.clone();
        steps.for_each(|(file, step)| step.apply(&mut files[*file]));
        files
    };
    let count = unsynced.len();
    match mode {
        LossMode::Whole => BTreeSet::from([durable.clone()]),
        LossMode::Part => (0..=count).map(|kept| after(&mut unsynced.iter().take(kept))).collect(),
        LossMode::Torn => {
            let mut all = BTreeSet::from([durable.clone()]);
            for (place, (file, step)) in unsynced.iter().enumerate() {
                all.insert(after(&mut unsynced[..place].iter()));
                for torn in step.torn() {
                    all.insert(after(&mut unsynced[..place].iter().chain([&(*file, torn)])));
                }
            }
            all
        }
        LossMode::Reordered => {
            let subset = |bits: u32| {
                after(&mut (0..).zip(unsynced).filter(|(place, _)| bits >> place & 1 == 1).map(|(_, step)| step))
            };
            (0..1 << count).map(subset).collect()
        }
    }
}

#[test]
fn a_power_loss_keeps_what_was_synced_and_of_the_rest_what_its_mode_says() {
    for (mode, least) in [(LossMode::Whole, 1), (LossMode::Part, 4), (LossMode::Torn, 4), (LossMode::Reordered, 4)] {
        let mut most = 0;
        for seed in 0..60 {
            let mut random = Random::split(seed, "oracle");
            let mut image = empty(EntryRule::Ext4);
            let inodes = ["a", "b", "c"].map(|name| make(&mut image, ROOT, name));
            image.sync_folder(ROOT);
            let (mut now, mut durable): (Bytes, Bytes) = <_>::default();
            let mut unsynced: Vec<(usize, Step)> = Vec::new();
            for _ in 0..random.below(25) {
                let file = random.below(FILES);
                if random.below(5) == 0 || unsynced.len() == 8 {
                    image.sync(inodes[file]);
                    durable[file].clone_from(&now[file]);
                    unsynced.retain(|(of, _)| *of != file);
                    if unsynced.len() == 8 {
                        break;
                    }
                    continue;
                }
                let step = Step::draw(&mut random);
                match &step {
                    Step::Write(offset, part) => image.write(inodes[file], *offset as u64, part),
                    Step::Resize(size) => image.resize(inodes[file], *size as u64),
                    Step::Zero(offset, length) => image.zero(inodes[file], *offset as u64, *length as u64),
                }
                .unwrap();
                step.apply(&mut now[file]);
                unsynced.push((file, step));
            }
            assert_eq!(inodes.map(|inode| bytes(&image, inode)), now, "{mode:?}, seed {seed}");
            let allowed = allowed(mode, &durable, &unsynced);
            let found: BTreeSet<Bytes> = (0..12)
                .map(|draw| {
                    let after = lose(&image, mode, draw);
                    inodes.map(|inode| bytes(&after, inode))
                })
                .collect();
            assert!(found.is_subset(&allowed), "{mode:?}, seed {seed}");
            most = most.max(found.len());
        }
        assert!(most >= least, "{mode:?} never does more than {most} things");
    }
}

#[test]
fn by_ext4_any_fsync_makes_all_entries_durable_and_strictly_only_that_of_the_folder() {
    for (rule, expected) in [
        (EntryRule::Ext4, named(&[("folder", "folder"), ("new", "synced"), ("other", "")])),
        (EntryRule::Strict, vec![]),
    ] {
        let mut image = empty(rule);
        let folder = make_folder(&mut image, "folder");
        let old = make(&mut image, folder, "old");
        let other = make(&mut image, ROOT, "other");
        image.write(other, 0, b"unsynced").unwrap();
        image.write(old, 0, b"synced").unwrap();
        image.rename((folder, "old".as_ref()), (ROOT, "new".as_ref()), false).unwrap();
        assert_eq!(names(&lose(&image, LossMode::Whole, 1), ROOT), [], "{rule:?}: nothing was synced yet");
        image.sync(old);
        assert_eq!(names(&lose(&image, LossMode::Whole, 1), ROOT), expected, "{rule:?}");
        image.sync_folder(ROOT);
        let all = named(&[("folder", "folder"), ("new", "synced"), ("other", "")]);
        assert_eq!(names(&lose(&image, LossMode::Whole, 1), ROOT), all, "{rule:?}");
    }
}

#[test]
fn a_removal_that_was_not_committed_is_forgotten_with_what_took_its_place() {
    let mut image = empty(EntryRule::Ext4);
    let [kept, replaced] = ["kept", "replaced"].map(|name| make(&mut image, ROOT, name));
    for inode in [kept, replaced] {
        image.write(inode, 0, b"old").unwrap();
        image.sync(inode);
    }
    image.remove_file(ROOT, "kept".as_ref()).unwrap();
    image.forget(kept, 0);
    let new = make(&mut image, ROOT, "new");
    image.write(new, 0, b"new").unwrap();
    image.rename((ROOT, "new".as_ref()), (ROOT, "replaced".as_ref()), false).unwrap();
    let after = lose(&image, LossMode::Whole, 1);
    assert_eq!(names(&after, ROOT), named(&[("kept", "old"), ("replaced", "old")]));
    // By a part of the journal, its entries come in their order.
    let found: BTreeSet<_> = (0..50).map(|draw| names(&lose(&image, LossMode::Reordered, draw), ROOT)).collect();
    assert!(found.contains(&named(&[("replaced", "new")])) && found.contains(&named(&[("replaced", "")])), "{found:?}");
    assert!(found.iter().all(|names| names.iter().any(|(name, _)| name == "replaced")), "{found:?}");
    image.sync(new);
    assert_eq!(names(&lose(&image, LossMode::Whole, 1), ROOT), named(&[("replaced", "new")]));
    assert!(image.node(kept).is_err() && image.node(replaced).is_err(), "nobody can reach these any more");
}

#[test]
fn after_a_failed_fsync_another_one_does_not_make_up_for_it() {
    let mut image = empty(EntryRule::Ext4);
    let file = make(&mut image, ROOT, "file");
    image.write(file, 0, b"first").unwrap();
    image.fail_to_sync(file);
    assert!(!image.is_unsynced(file));
    image.sync(file);
    assert_eq!(
        (bytes(&image, file), names(&lose(&image, LossMode::Whole, 1), ROOT)),
        (b"first".to_vec(), named(&[("file", "")]))
    );
}

#[test]
fn a_disk_that_is_full_has_place_again_once_something_was_removed() {
    let mut image = empty(EntryRule::Ext4);
    let part = vec![1; CAPACITY_BYTES / 8];
    let fill = |image: &mut Image, name: &str| {
        let file = make(image, ROOT, name);
        image.write(file, 0, &part)
    };
    for place in 0..8 {
        fill(&mut image, &place.to_string()).unwrap();
    }
    assert_eq!(fill(&mut image, "more"), Err(Errno::ENOSPC));
    image.remove_file(ROOT, "0".as_ref()).unwrap();
    fill(&mut image, "again").unwrap();
}
