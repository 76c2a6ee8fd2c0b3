//! Memory for cached objects, and cache policies.

mod managed;
mod policy;

use std::path::PathBuf;

use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, Stands, between};
use crate::units::ByteSize;

pub(crate) use self::managed::IDS;
pub use self::policy::{CachePolicy, RequestDirectives, Selection};
pub(crate) use self::policy::{POLICY, is_field_name, report_names};

/// The store.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Bytes of memory that held, filling and evicted-but-read objects may take together.
    pub memory: ByteSize,
    /// What outlives the server; none: nothing does.
    pub disk: Option<Disk>,
    /// Bytes of the state directory that the indexes of stored titles may take together.
    pub titles: ByteSize,
}

/// The store's second tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// Where its files are. They are its own, and it deletes them.
    pub directory: PathBuf,
    /// Bytes that they may take together, as the file system counts them.
    pub size: ByteSize,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "memory",
        Kind::Size(between("16 MiB", "4 TiB", "one large object alone takes 16 MiB")),
        Value("512 MiB", "leaves most of a small machine to the windows of broadcasts"),
        "Set it to what this machine can spare; everything that viewers ask for often should fit.",
    )
    .example("2 GiB")
    .needs_restart(),
    Setting::new(
        "disk",
        Kind::Table(DISK),
        Absent("nothing is kept on a disk"),
        "Set it to keep what other web servers answered over restarts, and more of it than fits in memory.",
    )
    .needs_restart(),
    Setting::new(
        "titles",
        Kind::Size(between("16 MiB", "1 TiB", "less than the indexes of a few long films is written over and over")),
        Value("1 GiB", "a thousand hours of film with sound"),
        "Set it higher when the library is larger than that: what was understood of its titles is kept in state_dir, so that \
         a restart reads none of their headers, and those used longest ago make room.",
    )
    .example("8 GiB")
    .needs_restart(),
];

const DISK: &[Setting] = &[
    Setting::new(
        "directory",
        Kind::Path(Stands::Anything),
        Required,
        "A directory of its own on a local disk; it is made where there is none, and one server at a time uses it.",
    )
    .example("/var/cache/levada")
    .needs_restart(),
    Setting::new(
        "size",
        Kind::Size(between("64 MiB", "1024 TiB", "less than a few large objects keeps nothing for long")),
        Value("10 GiB", "fits on most disks, and is some hours of one film in a few qualities"),
        "Set it to what the disk can spare; the files never take more, as the file system counts them.",
    )
    .example("200 GiB")
    .needs_restart(),
];

impl Cache {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let disk = section.has("disk").then(|| Disk::read(&section.table("disk")));
        Self { memory: section.size("memory"), disk, titles: section.size("titles") }
    }
}

impl Disk {
    fn read(section: &Section<'_>) -> Self {
        Self { directory: section.path("directory"), size: section.size("size") }
    }
}
