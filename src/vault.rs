//! Memory for large stored bodies, out of which the kernel sends without copying.
//!
//! ```text
//! Room::take ─put─▶ Bytes, as it comes ─all─▶ Bytes, the whole
//!                     └── place ──▶ send: from the kernel's pages to a socket
//! ```
//! One file in memory, mapped once to be read, with a slot for each body. A body that is let go leaves a hole, which
//! takes no memory. A socket that is given a place in the file instead of octets refers to its pages, so that nothing is
//! copied for a viewer. Everything else reads the octets as any others.
//!
//! The file belongs to this process alone and can neither shrink nor grow, so no octet of the mapping is ever missing.
//! Where the system has no such file, limits the size of files, or gives huge pages to each of them, and where all slots
//! are taken, bodies stay where they were. What lies there is in no picture of a crash: it is not ours, and a terabyte.

#![expect(unsafe_code, reason = "a mapping is read through a pointer; no safe interface lends octets of one")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::retry_on_intr;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};

/// The largest body; the cache keeps none that is larger.
const SLOT: u64 = 16 * 1024 * 1024;

/// The smallest: below it the head's octets and the system calls count more than a copy.
const LEAST: u64 = 64 * 1024;

/// Slots there are: a terabyte of addresses, which cost nothing until they are used.
const SLOTS: u32 = 65_536;

/// What gives memory of the file back.
const HOLE: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);

/// Pieces of fewer octets are copied with what goes before and after them: one system call instead of two.
const LEAST_SENT: usize = 32 * 1024;

/// The file, and where it is mapped.
struct Vault {
    file: OwnedFd,
    base: *const u8,
    free: Mutex<Free>,
}

// SAFETY: the mapping is never written through and lives as long as the process; the pointer is only its address.
unsafe impl Send for Vault {}
// SAFETY: as above.
unsafe impl Sync for Vault {}

/// Slots that nobody has.
struct Free {
    returned: Vec<u32>,
    /// From here on nobody ever had one.
    fresh: u32,
}

impl Vault {
    fn open() -> io::Result<Self> {
        let length = SLOT * u64::from(SLOTS);
        // Asked first: to go beyond it ends a process by a signal.
        if getrlimit(Resource::Fsize).current.is_some_and(|it| it < length) {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "files may not be so large (RLIMIT_FSIZE)",
            ));
        }
        let file = rustix::fs::memfd_create("levada", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, length)?;
        if taken_by_an_octet(&file)? > LEAST {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "each body would take a huge page of its own",
            ));
        }
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing.
        let base = unsafe { rustix::mm::mmap(ptr::null_mut(), length, ProtFlags::READ, flags, &file, 0)? };
        for advice in [Advice::LinuxDontDump, Advice::LinuxNoHugepage] {
            // SAFETY: both say what the system does with the pages of this mapping, and nothing of what is in them.
            let advised = unsafe { rustix::mm::madvise(base, length, advice) };
            if let Err(error) = advised {
                tracing::debug!(%error, ?advice, "a system that cannot has no need of it");
            }
        }
        let free = Mutex::new(Free { returned: Vec::new(), fresh: 0 });
        Ok(Self { file, base: base.cast_const().cast(), free })
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().expect("nothing panics while it is held")
    }
}

/// The memory that the first octet of a file takes, which it does not keep.
fn taken_by_an_octet(file: &OwnedFd) -> io::Result<u64> {
    rustix::io::pwrite(file, &[0], 0)?;
    let blocks = rustix::fs::fstat(file)?.st_blocks;
    rustix::fs::fallocate(file, HOLE, 0, SLOT)?;
    // stat(2) counts in 512 octets, whatever the size of a page.
    Ok(u64::try_from(blocks).unwrap_or_default() * 512)
}

/// The vault of this process; none where the system has no such thing.
fn vault() -> Option<&'static Vault> {
    static VAULT: OnceLock<Option<Vault>> = OnceLock::new();
    let open = || match Vault::open() {
        Ok(it) => Some(it),
        Err(error) => {
            tracing::info!(%error, "no memory that is sent without copying: bodies are copied for each viewer");
            None
        }
    };
    VAULT.get_or_init(open).as_ref()
}

/// Who has a slot. Dropped, it leaves a hole.
struct Slot {
    vault: &'static Vault,
    index: u32,
}

impl Slot {
    fn take() -> Option<Arc<Self>> {
        let vault = vault()?;
        let mut free = vault.free();
        let index = free.returned.pop().or_else(|| {
            let index = (free.fresh < SLOTS).then_some(free.fresh)?;
            free.fresh += 1;
            Some(index)
        })?;
        drop(free);
        Some(Arc::new(Self { vault, index }))
    }

    const fn offset(&self) -> u64 {
        self.index as u64 * SLOT
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::fallocate(&self.vault.file, HOLE, self.offset(), SLOT) {
            // Its memory would count for nobody, so nobody gets it again.
            tracing::warn!(%error, "memory of a stored body was not given back");
            return;
        }
        self.vault.free().returned.push(self.index);
    }
}

/// Octets of a slot that were written, and are written no more.
struct Piece {
    slot: Arc<Slot>,
    start: usize,
    length: usize,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        let from = self.slot.offset() as usize + self.start;
        // SAFETY: the range lies in the slot and so in the mapping, which is never unmapped and whose file never shrinks.
        // Its octets were written before the piece was made; they are not written again before the slot is dropped,
        // which this piece prevents.
        unsafe { std::slice::from_raw_parts(self.slot.vault.base.add(from), self.length) }
    }
}

/// Room for one body, which is filled from its beginning.
pub struct Room {
    slot: Arc<Slot>,
    length: usize,
    filled: usize,
}

impl Room {
    /// Room for a body of `length` octets; none where it is not worth it, or there is none.
    pub fn take(length: u64) -> Option<Self> {
        if !(LEAST..=SLOT).contains(&length) {
            return None;
        }
        Some(Self { slot: Slot::take()?, length: usize::try_from(length).ok()?, filled: 0 })
    }

    /// Copies octets in behind those that are there; none, and nothing changed, where they have no room or the system
    /// has no memory.
    pub fn put(&mut self, octets: &[u8]) -> Option<Bytes> {
        if octets.len() > self.length - self.filled {
            return None;
        }
        let start = self.filled;
        let mut written = 0;
        while written < octets.len() {
            let at = self.slot.offset() + (start + written) as u64;
            match retry_on_intr(|| rustix::io::pwrite(&self.slot.vault.file, &octets[written..], at)) {
                Ok(0) | Err(_) => return None,
                Ok(more) => written += more,
            }
        }
        self.filled += written;
        Some(Bytes::from_owner(Piece { slot: Arc::clone(&self.slot), start, length: written }))
    }

    /// All of it as one, when it is full.
    pub fn all(self) -> Option<Bytes> {
        let whole = Piece { slot: self.slot, start: 0, length: self.length };
        (self.filled == self.length).then(|| Bytes::from_owner(whole))
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room")
            .field("length", &self.length)
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

/// One body out of chunks, in the vault where it is worth it.
pub fn joined(chunks: &[Bytes]) -> Bytes {
    let length = chunks.iter().map(Bytes::len).sum::<usize>() as u64;
    let in_the_vault = || {
        let mut room = Room::take(length)?;
        chunks.iter().try_for_each(|it| room.put(it).map(drop))?;
        room.all()
    };
    in_the_vault().unwrap_or_else(|| chunks.concat().into())
}

/// Octets that lie in the vault and are worth a system call of their own.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    offset: u64,
    length: usize,
}

/// Where octets lie in the vault.
pub fn place(octets: &[u8]) -> Option<Place> {
    if octets.len() < LEAST_SENT {
        return None;
    }
    let base = vault()?.base.addr();
    let offset = octets.as_ptr().addr().checked_sub(base)? as u64;
    (offset < SLOT * u64::from(SLOTS)).then_some(Place { offset, length: octets.len() })
}

/// Gives octets to a socket without copying them; tells how many it took.
///
/// # Errors
/// What the system says, `WouldBlock` among it.
pub fn send(socket: impl AsFd, place: Place) -> io::Result<usize> {
    let vault = vault().expect("there are no places without it");
    let mut offset = place.offset;
    Ok(rustix::fs::sendfile(socket, &vault.file, Some(&mut offset), place.length)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Told to the process in which files may not be large.
    const LIMITED: &str = "LEVADA_TEST_LIMITED";

    fn octets(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|it| ((it * 31 + seed) % 251) as u8).collect()
    }

    #[test]
    fn a_body_is_read_as_it_was_put_in_piece_by_piece() {
        let expected = octets(100_000, 1);
        let mut room = Room::take(100_000).expect("there is room");
        let first = room.put(&expected[..70_000]).expect("it fits");
        assert!(room.put(&expected).is_none(), "more than was asked for does not");
        let second = room.put(&expected[70_000..]).expect("it fits");
        let whole = room.all().expect("it is full");
        assert_eq!([first, second].concat(), expected);
        assert_eq!(whole, expected);
    }

    #[test]
    fn a_body_that_is_not_full_is_none_and_small_or_huge_ones_stay_away() {
        let mut room = Room::take(100_000).expect("there is room");
        room.put(&octets(99_999, 1)).expect("it fits");
        assert!(room.all().is_none());
        assert!(Room::take(LEAST - 1).is_none());
        assert!(Room::take(SLOT + 1).is_none());
    }

    #[test]
    fn a_slot_is_another_ones_only_when_nobody_reads_it() {
        let first = joined(&[octets(200_000, 1).into()]);
        let slice = first.slice(150_000..);
        drop(first);
        let others: Vec<_> = (2..20).map(|seed| joined(&[octets(200_000, seed).into()])).collect();
        assert_eq!(slice, octets(200_000, 1)[150_000..]);
        drop((slice, others));
        assert_eq!(joined(&[octets(100_000, 30).into()]), octets(100_000, 30));
    }

    #[test]
    fn what_lies_in_the_vault_goes_to_a_socket_and_what_does_not_has_no_place() {
        let expected = octets(300_000, 7);
        let body = joined(&[expected[..1000].to_vec().into(), expected[1000..].to_vec().into()]);
        assert!(place(&expected).is_none());
        assert!(place(&body[..100]).is_none());
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let mut reader = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
        let (socket, _) = listener.accept().expect("somebody came");
        let sender = std::thread::spawn(move || {
            let mut rest = body.slice(1..);
            while let Some(place) = place(&rest) {
                let sent = send(&socket, place).expect("it is taken");
                rest = rest.slice(sent..);
            }
            rest
        });
        let mut got = vec![0; 299_999];
        let rest = {
            let mut filled = 0;
            while filled < got.len() {
                match reader.read(&mut got[filled..]).expect("it is read") {
                    0 => break,
                    more => filled += more,
                }
            }
            got.truncate(filled);
            sender.join().expect("it ends")
        };
        got.extend_from_slice(&rest);
        assert_eq!(got, expected[1..]);
    }

    #[test]
    fn where_files_may_not_be_large_bodies_stay_where_they_were() {
        if std::env::var_os(LIMITED).is_some() {
            assert!(Room::take(100_000).is_none());
            assert_eq!(joined(&[octets(100_000, 1).into()]), octets(100_000, 1));
            return;
        }
        let me = std::env::current_exe().expect("it runs");
        let name = "vault::tests::where_files_may_not_be_large_bodies_stay_where_they_were";
        let limited = std::process::Command::new("sh")
            .args(["-c", "ulimit -f 2048; exec \"$0\" \"$@\""])
            .arg(me)
            .args(["--exact", name])
            .env(LIMITED, "1")
            .output()
            .expect("there is a shell");
        assert!(limited.status.success(), "{limited:?}");
        assert!(String::from_utf8_lossy(&limited.stdout).contains("1 passed"), "{limited:?}");
    }

    #[test]
    fn what_lies_there_is_in_no_picture_of_a_crash_and_in_no_huge_page() {
        let _there_is_one = joined(&[octets(100_000, 1).into()]);
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("it is there");
        let mapping = maps.split_once("/memfd:levada").expect("it is mapped").1;
        let flags = mapping.lines().find(|it| it.starts_with("VmFlags:")).expect("it has some");
        let has = |flag: &str| flags.split_ascii_whitespace().any(|it| it == flag);
        assert!(has("dd"), "{flags}");
        let knows_huge_pages = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert!(has("nh") || !knows_huge_pages, "{flags}");
    }

    #[test]
    fn an_octet_takes_a_page_and_gives_it_back() {
        let file = rustix::fs::memfd_create("levada", MemfdFlags::CLOEXEC).expect("there is memory");
        rustix::fs::ftruncate(&file, SLOT).expect("it may be so large");
        assert!((1..=LEAST).contains(&taken_by_an_octet(&file).expect("it is written")));
        assert_eq!(rustix::fs::fstat(&file).expect("it is there").st_blocks, 0);
    }
}
