//! The way of events to one subscriber: its queue, and the events that wait until the recipients of an earlier one are
//! known.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::live::entry::Entry;

/// Events that may wait in the queue of one subscriber. A subscriber that falls further behind is removed and resumes
/// from the log, which bounds the memory of slow clients.
pub(super) const QUEUE: usize = 256;
/// Held events for which a subscriber without any keeps memory.
const IDLE_CAPACITY: usize = 4;

/// An event that is delivered later than it was read, because something else has to be known or done first.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) entry: Arc<Entry>,
    outcome: OnceLock<Outcome>,
}

/// The recipients of an awaited event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All subscribers that wait for it.
    All,
    /// Of the subscribers that wait for it, these.
    Only(HashSet<u64>),
    /// Unknown. All that wait for it receive this entry instead.
    Unknown(Arc<Entry>),
}

impl Awaited {
    pub(super) fn new(entry: &Arc<Entry>) -> Arc<Self> {
        Arc::new(Self {
            entry: Arc::clone(entry),
            outcome: OnceLock::new(),
        })
    }

    /// Decides who receives the event. The first decision counts. The subscribers that wait for it are released next.
    pub(super) fn decide(&self, outcome: Outcome) {
        self.outcome.get_or_init(|| outcome);
    }
}

#[derive(Debug)]
enum Held {
    Event(Arc<Entry>),
    Awaited(Arc<Awaited>),
}

/// The subscriber has disconnected or fallen behind, and is to be removed.
#[derive(Debug)]
pub(super) struct Closed;

/// The way to one subscriber.
#[derive(Debug)]
pub(super) struct Outlet {
    queue: mpsc::Sender<Arc<Entry>>,
    /// Set when the subscriber has fallen behind.
    is_behind: Arc<AtomicBool>,
    /// What follows an awaited event, and that event first. No longer than the queue.
    held: VecDeque<Held>,
}

impl Outlet {
    pub(super) fn new(queue: mpsc::Sender<Arc<Entry>>, is_behind: Arc<AtomicBool>) -> Self {
        Self {
            queue,
            is_behind,
            held: VecDeque::new(),
        }
    }

    /// Marks the subscriber as one that fell behind: after the events in its queue, its stream ends, and its client
    /// resumes.
    pub(super) fn interrupt(&self) {
        self.is_behind.store(true, Ordering::Release);
    }

    /// Delivers an event after all earlier ones.
    pub(super) fn push(&mut self, entry: &Arc<Entry>) -> Result<(), Closed> {
        if self.held.is_empty() {
            return self.send(Arc::clone(entry));
        }
        self.hold(Held::Event(Arc::clone(entry)))
    }

    /// Delivers an event after all earlier ones, when its recipients are decided. Later events wait for it.
    pub(super) fn push_awaited(&mut self, awaited: &Arc<Awaited>) -> Result<(), Closed> {
        self.hold(Held::Awaited(Arc::clone(awaited)))
    }

    /// Delivers an ephemeral event now, unless the queue is half full.
    pub(super) fn push_ephemeral(&self, entry: &Arc<Entry>) {
        if self.queue.capacity() > QUEUE / 2 {
            // A closed queue is removed by the next logged event.
            let _ = self.queue.try_send(Arc::clone(entry));
        }
    }

    /// Delivers what no longer has to wait. `id` is the subscriber's own.
    pub(super) fn release(&mut self, id: u64) -> Result<(), Closed> {
        while let Some(held) = self.held.pop_front() {
            let entry = match held {
                Held::Event(entry) => Some(entry),
                Held::Awaited(awaited) => match awaited.outcome.get() {
                    None => {
                        self.held.push_front(Held::Awaited(awaited));
                        break;
                    }
                    Some(Outcome::All) => Some(Arc::clone(&awaited.entry)),
                    Some(Outcome::Only(ids)) => {
                        ids.contains(&id).then(|| Arc::clone(&awaited.entry))
                    }
                    // The next one also covers this one.
                    Some(Outcome::Unknown(_)) if self.resets_next() => None,
                    Some(Outcome::Unknown(reset)) => Some(Arc::clone(reset)),
                },
            };
            if let Some(entry) = entry {
                self.send(entry)?;
            }
        }
        if self.held.is_empty() {
            self.held.shrink_to(IDLE_CAPACITY);
        }
        Ok(())
    }

    fn resets_next(&self) -> bool {
        match self.held.front() {
            Some(Held::Awaited(next)) => matches!(next.outcome.get(), Some(Outcome::Unknown(_))),
            _ => false,
        }
    }

    fn hold(&mut self, held: Held) -> Result<(), Closed> {
        if self.held.len() >= QUEUE {
            self.is_behind.store(true, Ordering::Release);
            return Err(Closed);
        }
        self.held.push_back(held);
        Ok(())
    }

    fn send(&self, entry: Arc<Entry>) -> Result<(), Closed> {
        self.queue.try_send(entry).map_err(|error| {
            if let TrySendError::Full(_) = error {
                self.is_behind.store(true, Ordering::Release);
            }
            Closed
        })
    }
}
