//! Memory for cached objects, and cache policies.

use std::path::PathBuf;
use std::time::Duration;

use crate::names::unique;
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Bounds, Kind, Setting, Stands, between};
use crate::units::{ByteSize, duration};

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

/// What makes a cache key and how long answers live (cloudfront.md 3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct CachePolicy {
    /// What behaviors name, such as `Levada-Live` or `Managed-CachingOptimized`.
    pub name: String,
    /// Lower bound of a lifetime.
    pub min_ttl: Duration,
    /// Lifetime of an answer that says none.
    pub default_ttl: Duration,
    /// Upper bound of a lifetime.
    pub max_ttl: Duration,
    /// Lifetime of error answers that say none.
    pub error_ttl: Duration,
    /// Which query parameters are in the key.
    pub query: Selection,
    /// Which request headers are in the key, lower case.
    pub headers: Vec<String>,
    /// Whether text may be answered with gzip.
    pub gzip: bool,
    /// Whether text may be answered with Brotli.
    pub brotli: bool,
}

impl CachePolicy {
    /// The query parameters of an LL-HLS blocking reload. A key without one of them would answer a request for
    /// something to come with what was there before.
    pub const LIVE_QUERY: [&str; 3] = ["_HLS_msn", "_HLS_part", "_HLS_skip"];
}

/// Which of a set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// No name.
    None,
    /// Every name.
    All,
    /// These names.
    Only(Vec<String>),
    /// All but these.
    AllExcept(Vec<String>),
}

impl Selection {
    /// Whether `name` is one of them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.iter().any(|it| it == name),
            Self::AllExcept(names) => names.iter().all(|it| it != name),
        }
    }
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

/// CloudFront's own bounds.
const TTL: Bounds = between("0s", "36500d", "CloudFront's limit is 100 years");

pub(crate) const POLICY: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What behaviors name in cache_policy.").example("Weekly"),
    Setting::new(
        "min_ttl",
        Kind::Duration(TTL),
        Value("0s", "the origin's word counts"),
        "Set it above zero to keep answers longer than the origin says.",
    )
    .example("1s"),
    Setting::new(
        "default_ttl",
        Kind::Duration(TTL),
        Value("1d", "CloudFront's default"),
        "Set it to how long answers live whose origin says nothing.",
    )
    .example("2h"),
    Setting::new(
        "max_ttl",
        Kind::Duration(TTL),
        Value("365d", "CloudFront's default"),
        "Set it to keep answers shorter than the origin says.",
    )
    .example("30d"),
    Setting::new(
        "error_ttl",
        Kind::Duration(TTL),
        Value("10s", "CloudFront's default; spares an origin in trouble"),
        "Set it lower where what is missing now may be there at once.",
    )
    .example("1s"),
    Setting::new(
        "query_strings",
        Kind::Selection,
        Value("none", "every parameter in the key is a way to ask past the cache"),
        "Set it to the parameters that change the answer.",
    )
    .example("start,end"),
    Setting::new(
        "headers",
        Kind::Texts,
        Value("", "every header in the key is a way to ask past the cache"),
        "Set it to the request headers that change the answer.",
    )
    .example("Origin"),
    Setting::new(
        "gzip",
        Kind::Flag,
        Value("true", "manifests shrink to a tenth"),
        "Set it to false to send text as it is.",
    )
    .example("false"),
    Setting::new(
        "brotli",
        Kind::Flag,
        Value("true", "manifests shrink further than with gzip"),
        "Set it to false to spare the time it takes.",
    )
    .example("false"),
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

impl CachePolicy {
    /// The built-in ones and those of the file, whose names must be others.
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("cache_policy");
        unique(&sections, "name");
        let mut policies = Self::built_in();
        for section in &sections {
            let policy = Self::read(section);
            if Self::built_in().iter().any(|it| it.name == policy.name) {
                section.report("name", format!("{:?} is built in", policy.name), "write another name");
            }
            policies.push(policy);
        }
        policies
    }

    fn read(section: &Section<'_>) -> Self {
        let (min_ttl, mut max_ttl) = (section.duration("min_ttl"), section.duration("max_ttl"));
        let mut default_ttl = section.duration("default_ttl");
        // As in CloudFront, bounds that were written move the defaults that were not.
        if !section.has("max_ttl") {
            max_ttl = max_ttl.max(min_ttl).max(default_ttl);
        }
        if !section.has("default_ttl") {
            default_ttl = default_ttl.min(max_ttl).max(min_ttl);
        }
        if min_ttl > max_ttl || default_ttl < min_ttl || default_ttl > max_ttl {
            let [least, usual, most] = [min_ttl, default_ttl, max_ttl].map(duration::show);
            let key = ["default_ttl", "min_ttl"].into_iter().find(|it| section.has(it)).unwrap_or("max_ttl");
            section.report(
                key,
                format!("min_ttl {least}, default_ttl {usual} and max_ttl {most} are out of order"),
                "write them so that min_ttl <= default_ttl <= max_ttl",
            );
        }
        let headers: Vec<_> = section.texts("headers").iter().map(|it| it.to_ascii_lowercase()).collect();
        for header in headers.iter().filter(|it| !is_field_name(it)) {
            section.report(
                "headers",
                format!("{header:?} is no header's name"),
                "write a name such as \"Origin\"",
            );
        }
        Self {
            name: section.text("name"),
            min_ttl,
            default_ttl,
            max_ttl,
            error_ttl: section.duration("error_ttl"),
            query: section.selection("query_strings"),
            headers,
            gzip: section.flag("gzip"),
            brotli: section.flag("brotli"),
        }
    }

    fn built_in() -> Vec<Self> {
        const DAY: Duration = Duration::from_secs(86_400);
        let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let plain = |name: &str, seconds: [u64; 3]| Self {
            name: name.to_owned(),
            min_ttl: Duration::from_secs(seconds[0]),
            default_ttl: Duration::from_secs(seconds[1]),
            max_ttl: Duration::from_secs(seconds[2]),
            error_ttl: Duration::from_secs(10),
            query: Selection::None,
            headers: Vec::new(),
            gzip: true,
            brotli: true,
        };
        const YEAR: u64 = 31_536_000;
        vec![
            // Playlists say how long they live; what is not there yet may be there in a third of a second.
            Self {
                error_ttl: Duration::ZERO,
                query: Selection::Only(names(&Self::LIVE_QUERY)),
                ..plain("Levada-Live", [0, 0, YEAR])
            },
            // Names of VOD segments change with their bytes, so a day for what says nothing is safe.
            Self { default_ttl: DAY, ..plain("Levada-Media", [0, 0, YEAR]) },
            plain("Managed-CachingOptimized", [1, 86_400, YEAR]),
            Self {
                gzip: false,
                brotli: false,
                ..plain("Managed-CachingOptimizedForUncompressedObjects", [1, 86_400, YEAR])
            },
            Self {
                error_ttl: Duration::ZERO,
                gzip: false,
                brotli: false,
                ..plain("Managed-CachingDisabled", [0, 0, 0])
            },
            Self {
                query: Selection::Only(names(&["aws.manifestfilter", "start", "end", "m"])),
                headers: names(&["origin"]),
                brotli: false,
                ..plain("Managed-Elemental-MediaPackage", [0, 86_400, YEAR])
            },
        ]
    }
}

/// RFC 9110 5.6.2.
pub(crate) fn is_field_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
}
