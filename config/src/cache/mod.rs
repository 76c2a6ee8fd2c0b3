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
        Self { memory: section.size("memory"), disk }
    }
}

impl Disk {
    fn read(section: &Section<'_>) -> Self {
        Self { directory: section.path("directory"), size: section.size("size") }
    }
}
