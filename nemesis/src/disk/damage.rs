//! Damage to the files of a disk that no process uses.

use super::content::PAGE;
use super::fault::Damage;
use super::image::Image;
use crate::random::Random;

/// Damages one file that is not empty, if there is one. An old copy is put back by whoever has it.
pub(super) fn damage(image: &mut Image, damage: Damage, random: &mut Random) {
    let files = image.files();
    if files.is_empty() || damage == Damage::OldCopy {
        return;
    }
    let inode = files[random.below(files.len())];
    image.edit(inode, |content| {
        let size = usize::try_from(content.size()).unwrap_or(usize::MAX);
        match damage {
            Damage::BitFlip => content.flip(random.below(size * 8) as u64),
            Damage::TruncatedTail => content.resize((size - 1 - random.below(size.min(PAGE))) as u64),
            Damage::OldCopy => {}
        }
    });
}
