//! The message streams of a connection and what each is used for.

use std::fmt;

/// Most message streams of one connection. Encoders use one, some players two.
const MAX_STREAMS: usize = 16;

/// What a message stream is used for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// Nothing yet, or no more.
    Idle,
    /// An encoder waits for our decision.
    AsksToPublish(Publication),
    /// Media comes in.
    Publishes(Publication),
    /// A player waits for our decision.
    AsksToPlay {
        /// Whether it wants to hear that what it played before is over.
        reset: bool,
    },
    /// Media goes out.
    Plays(Wanted),
}

/// What is published.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Publication {
    /// The stream name in normal form, by which `FCUnpublish` ends it. Often the key.
    pub(super) name: String,
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").finish_non_exhaustive()
    }
}

/// What a player wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) audio: bool,
    pub(super) video: bool,
    pub(super) paused: bool,
}

/// A message stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) role: Role,
}

/// All of a connection's.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    last: u32,
}

impl Streams {
    /// A new stream's number, unless there are too many.
    pub(super) fn create(&mut self) -> Option<u32> {
        let id = self.last.checked_add(1)?;
        self.insert(id)?;
        self.last = id;
        Some(id)
    }

    /// The stream of that number, made if need be: some hardware publishes on one it never created.
    pub(super) fn reach(&mut self, id: u32) -> Option<&mut Stream> {
        match self.streams.iter().position(|it| it.id == id) {
            Some(at) => self.streams.get_mut(at),
            None => self.insert(id),
        }
    }

    fn insert(&mut self, id: u32) -> Option<&mut Stream> {
        if self.streams.len() >= MAX_STREAMS {
            return None;
        }
        self.last = self.last.max(id);
        self.streams.push(Stream { id, role: Role::Idle });
        self.streams.last_mut()
    }

    /// The role of a stream.
    pub(super) fn role(&mut self, id: u32) -> Option<&mut Role> {
        self.streams.iter_mut().find(|it| it.id == id).map(|it| &mut it.role)
    }

    /// Forgets a stream and says what it was used for.
    pub(super) fn remove(&mut self, id: u32) -> Option<Role> {
        let at = self.streams.iter().position(|it| it.id == id)?;
        Some(self.streams.swap_remove(at).role)
    }

    /// Ends what a stream is used for and says what that was.
    pub(super) fn release(&mut self, id: u32) -> Option<Role> {
        self.role(id).map(|role| std::mem::replace(role, Role::Idle))
    }

    /// The stream whose publication a message on stream `id` belongs to. Some hardware sends media on stream 0.
    pub(super) fn publishing(&self, id: u32) -> Option<u32> {
        let of_publication = |it: &&Stream| matches!(it.role, Role::Publishes(_)) && (id == 0 || it.id == id);
        self.streams.iter().find(of_publication).map(|it| it.id)
    }

    /// The stream that publishes under that name.
    pub(super) fn publishing_name(&self, name: &str) -> Option<u32> {
        let named = |it: &&Stream| matches!(&it.role, Role::Publishes(what) if what.name == name);
        self.streams.iter().find(named).map(|it| it.id)
    }

    pub(super) fn any(&self, is: impl Fn(&Role) -> bool) -> bool {
        self.streams.iter().any(|it| is(&it.role))
    }
}
