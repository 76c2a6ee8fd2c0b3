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

mod aside;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::retry_on_intr;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};

use self::aside::Aside;

/// The largest body; the cache keeps none that is larger.
const SLOT: u64 = 16 * 1024 * 1024;

/// The smallest: below it the head's octets and the system calls count more than a copy.
const LEAST: u64 = 64 * 1024;

/// Slots there are: a terabyte of addresses, which cost nothing until they are used.
const SLOTS: u32 = 65_536;

/// What gives memory of the file back.
const HOLE: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);

/// The largest page of any machine that this runs on: memory is given back in whole ones.
const LARGEST_PAGE: u64 = 64 * 1024;

/// From here on the system takes long to take memory back: a fifteenth of a millisecond, and a whole one for a full slot.
const SLOW: u64 = 1024 * 1024;

/// Pieces of fewer octets are copied with what goes before and after them: one system call instead of two.
const LEAST_SENT: usize = 32 * 1024;

/// The file, and where it is mapped.
struct Vault {
    file: OwnedFd,
    base: *const u8,
    free: Mutex<Free>,
    /// Where holes are made that take long.
    aside: Aside<Hole>,
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
        Ok(Self { file, base: base.cast_const().cast(), free, aside: Aside::new(Hole::make) })
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
    /// The octets there is room for.
    length: u64,
}

impl Slot {
    fn take(length: u64) -> Option<Arc<Self>> {
        let vault = vault()?;
        let mut free = vault.free();
        let index = free.returned.pop().or_else(|| {
            let index = (free.fresh < SLOTS).then_some(free.fresh)?;
            free.fresh += 1;
            Some(index)
        })?;
        drop(free);
        Some(Arc::new(Self { vault, index, length }))
    }

    const fn offset(&self) -> u64 {
        self.index as u64 * SLOT
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Self { vault, index, length } = *self;
        let hole = Hole { vault, index, length: length.next_multiple_of(LARGEST_PAGE) };
        let left = if hole.length < SLOW { Err(hole) } else { vault.aside.leave(hole) };
        if let Err(hole) = left {
            hole.make();
        }
    }
}

/// A slot that nobody has and whose memory is still taken.
struct Hole {
    vault: &'static Vault,
    index: u32,
    length: u64,
}

impl Hole {
    fn make(self) {
        let Self { vault, index, length } = self;
        let punch = || rustix::fs::fallocate(&vault.file, HOLE, u64::from(index) * SLOT, length);
        if let Err(error) = retry_on_intr(punch) {
            // Its memory would count for nobody, so nobody gets it again.
            tracing::warn!(%error, "memory of a stored body was not given back");
            return;
        }
        vault.free().returned.push(index);
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
        Some(Self { slot: Slot::take(length)?, length: usize::try_from(length).ok()?, filled: 0 })
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
