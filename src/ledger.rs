//! Records of broadcasts in the state directory: a small JSON file each, replaced whole and synced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packager::live::{self, Announced};
use packager::media::BroadcastName;
use serde::{Deserialize, Serialize};

/// A record is a few numbers; a larger file is none of ours.
const MAX_RECORD: u64 = 4096;

/// Keeps records below `{state_dir}/broadcasts`.
#[derive(Debug)]
pub struct Ledger {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    epoch: u64,
    media_sequence: u64,
    discontinuity_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<WrittenAnnounced>,
    published_until_milliseconds: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnnounced {
    availability_start_milliseconds: u64,
    target_duration_seconds: u32,
    part_target_nanoseconds: u64,
}

impl Ledger {
    /// Opens the directory, making it when it is not there.
    ///
    /// # Errors
    /// When it cannot be made, with its name.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let directory = state_dir.join("broadcasts");
        fs::create_dir_all(&directory)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.display())))?;
        Ok(Self { directory })
    }

    /// `live/match` is kept as `live/match.json`, which no legal name makes longer than a file system takes.
    fn file(&self, name: &BroadcastName) -> PathBuf {
        self.directory.join(name.app().as_str()).join(format!("{}.json", name.name()))
    }
}

impl live::Ledger for Ledger {
    fn load(&self, name: &BroadcastName) -> io::Result<Option<live::Record>> {
        let file = self.file(name);
        let length = match fs::metadata(&file) {
            Ok(it) => it.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if length > MAX_RECORD {
            return Err(io::Error::other(format!("{} is no record of a broadcast", file.display())));
        }
        let written: Written = serde_json::from_slice(&fs::read(&file)?)?;
        Ok(Some(live::Record {
            epoch: written.epoch,
            media_sequence: written.media_sequence,
            discontinuity_sequence: written.discontinuity_sequence,
            announced: written.announced.map(|it| Announced {
                availability_start: UNIX_EPOCH + Duration::from_millis(it.availability_start_milliseconds),
                target_duration: it.target_duration_seconds,
                part_target: Duration::from_nanos(it.part_target_nanoseconds),
            }),
            published: UNIX_EPOCH + Duration::from_millis(written.published_until_milliseconds),
        }))
    }

    /// Written beside, synced, renamed, and the directory synced: after a crash the file is the old or the new one.
    fn store(&self, name: &BroadcastName, record: &live::Record) -> io::Result<()> {
        let written = Written {
            epoch: record.epoch,
            media_sequence: record.media_sequence,
            discontinuity_sequence: record.discontinuity_sequence,
            announced: record.announced.as_ref().map(|it| WrittenAnnounced {
                availability_start_milliseconds: milliseconds(it.availability_start),
                target_duration_seconds: it.target_duration,
                part_target_nanoseconds: u64::try_from(it.part_target.as_nanos()).unwrap_or(u64::MAX),
            }),
            published_until_milliseconds: milliseconds(record.published),
        };
        let file = self.file(name);
        let app = self.directory.join(name.app().as_str());
        fs::create_dir_all(&app)?;
        let beside = file.with_extension("new");
        let mut output = File::create(&beside)?;
        output.write_all(&serde_json::to_vec(&written)?)?;
        output.sync_all()?;
        fs::rename(&beside, &file)?;
        File::open(&app)?.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use packager::live::Ledger as _;
    use packager::media::AppName;

    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_kept() {
        let directory = tempfile::tempdir().unwrap();
        // The longest names there are.
        let name = BroadcastName::new(AppName::new(&"a".repeat(128)).unwrap(), &"b".repeat(128)).unwrap();
        let record = live::Record {
            epoch: 1_767_323_045_500,
            media_sequence: 42,
            discontinuity_sequence: 3,
            announced: Some(Announced {
                availability_start: UNIX_EPOCH + Duration::from_millis(1_767_323_045_123),
                target_duration: 2,
                part_target: Duration::from_micros(321_333),
            }),
            published: UNIX_EPOCH + Duration::from_millis(1_767_323_099_999),
        };
        let ledger = Ledger::open(directory.path()).unwrap();
        assert_eq!(ledger.load(&name).unwrap(), None);
        ledger.store(&name, &record).unwrap();
        let again = Ledger::open(directory.path()).unwrap();
        assert_eq!(again.load(&name).unwrap(), Some(record));
    }

    #[test]
    fn a_broken_record_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let name = BroadcastName::new(AppName::new("live").unwrap(), "a").unwrap();
        let ledger = Ledger::open(directory.path()).unwrap();
        for broken in [&b"{"[..], b"[]", &[0; 5000]] {
            fs::create_dir_all(ledger.file(&name).parent().unwrap()).unwrap();
            fs::write(ledger.file(&name), broken).unwrap();
            assert!(ledger.load(&name).is_err());
        }
    }
}
