//! Opening a file below a directory, whatever its names become meanwhile.
//!
//! Who may write below the root may put a link in the place of a directory, or a pipe in that of a file, between a look and
//! what follows it. So nothing is looked at first: the system finds the way itself and does not leave the root, opening
//! waits for nobody, and what was opened is to be asked what it is.

use std::fs::File;
use std::io;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// Of a directory on the way.
const PASSED: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Of what is at its end: a pipe does not wait for who writes to it, and a terminal is not taken.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens what is at `path`, whatever it is. Links are followed as long as they stay below `root`.
pub(super) fn open(root: &Path, path: &str) -> io::Result<File> {
    let directory = openat(CWD, root, PASSED, Mode::empty())?;
    let within = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
    match openat2(&directory, path, READ, Mode::empty(), within) {
        Ok(file) => Ok(file.into()),
        // A link with the whole path of something, which may lie below the root all the same; a name that is changing now;
        // a system that does not know the call, or a container that forbids it.
        Err(Errno::XDEV | Errno::AGAIN | Errno::NOSYS | Errno::PERM) => {
            let root = root.canonicalize()?;
            let found = root.join(path).canonicalize()?;
            let below = found.strip_prefix(&root).map_err(|_| io::ErrorKind::NotFound)?;
            without_links(&root, below)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens what is at a path that has no links; one that has some by now is not there.
fn without_links(root: &Path, path: &Path) -> io::Result<File> {
    let mut directory = openat(CWD, root, PASSED.union(OFlags::NOFOLLOW), Mode::empty())?;
    let mut names = path.components().peekable();
    while let Some(Component::Normal(name)) = names.next() {
        let flags = if names.peek().is_some() { PASSED } else { READ };
        let next = openat(&directory, name, flags.union(OFlags::NOFOLLOW), Mode::empty())?;
        if names.peek().is_none() {
            return Ok(next.into());
        }
        directory = next;
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{FileType, mknodat};
    use tempfile::TempDir;

    use super::*;

    /// `root/a/sea.txt`, `root/pipe`, and `secret/sea.txt` beside the root.
    fn tree() -> TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (directory, octets) in [("root/a", "the ocean"), ("secret", "a secret")] {
            fs::create_dir_all(tree.path().join(directory)).unwrap();
            fs::write(tree.path().join(directory).join("sea.txt"), octets).unwrap();
        }
        pipe(&tree.path().join("root/pipe"));
        tree
    }

    fn pipe(at: &Path) {
        mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    fn text(file: io::Result<File>) -> Option<String> {
        let mut text = String::new();
        file.ok()?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    #[test]
    fn links_lead_where_they_lead_below_the_root_and_nowhere_else() {
        let tree = tree();
        let root = tree.path().join("root");
        symlink("a/sea.txt", root.join("near")).unwrap();
        symlink(root.join("a"), root.join("whole")).unwrap();
        symlink("../secret/sea.txt", root.join("out")).unwrap();
        symlink(tree.path().join("secret"), root.join("far")).unwrap();
        symlink(&root, tree.path().join("current")).unwrap();
        for root in [root, tree.path().join("current")] {
            for path in ["a/sea.txt", "near", "whole/sea.txt"] {
                assert_eq!(text(open(&root, path)).as_deref(), Some("the ocean"), "{path}");
            }
            for path in ["out", "far/sea.txt", "../secret/sea.txt", "none"] {
                assert_eq!(text(open(&root, path)), None, "{path}");
            }
        }
    }

    #[test]
    fn what_has_become_a_link_since_it_was_found_is_not_followed() {
        let tree = tree();
        let root = tree.path().join("root");
        symlink("../secret/sea.txt", root.join("a/link")).unwrap();
        symlink("../secret", root.join("b")).unwrap();
        let found = |path: &str| text(without_links(&root, Path::new(path)));
        assert_eq!(found("a/sea.txt").as_deref(), Some("the ocean"));
        assert_eq!((found("a/link"), found("b/sea.txt"), found("")), (None, None, None));
    }

    #[test]
    fn a_pipe_is_opened_without_waiting_for_who_writes_to_it() {
        let tree = tree();
        let root = tree.path().join("root");
        for file in [open(&root, "pipe"), without_links(&root, Path::new("pipe"))] {
            assert!(!file.unwrap().metadata().unwrap().is_file());
        }
    }

    #[test]
    fn nobody_gets_out_by_changing_names_while_they_are_looked_for() {
        let tree = tree();
        let root = tree.path().join("root");
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (name, aside) = (root.join("a"), root.join("aside"));
                while !ends.load(Ordering::Relaxed) {
                    fs::rename(&name, &aside).unwrap();
                    symlink("../secret", &name).unwrap();
                    fs::remove_file(&name).unwrap();
                    pipe(&name);
                    fs::remove_file(&name).unwrap();
                    fs::rename(&aside, &name).unwrap();
                }
            });
            for _ in 0..2_000 {
                let found = text(open(&root, "a/sea.txt"));
                assert!(found.as_deref().is_none_or(|it| it == "the ocean"), "{found:?}");
            }
            ends.store(true, Ordering::Relaxed);
        });
    }
}
