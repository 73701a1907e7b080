//! Group commit: sends that wait while a transaction runs share the next one. Nobody waits for others to come, and what
//! becomes of each is what would have become of it alone.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use sea_orm::DbBackend;
use tokio::sync::oneshot;

use crate::{
    core::Core,
    db::{self, QueryStats},
    domain::{
        access::LockWait,
        messages::{
            send::types::{SendRequest, Sent},
            send::write::{Outcome, send_in},
        },
    },
    error::{Code, Error},
    id::ConversationId,
};

/// Transactions in which one process sends at the same time on PostgreSQL: one is written while the other is made safe.
/// With more of them fewer share each, and all of them take longer. SQLite has one writer.
const POSTGRES_QUEUES: usize = 2;

/// The sends of this process that wait.
#[derive(Clone, Debug)]
pub struct SendQueue(Arc<Shards>);

#[derive(Debug)]
struct Shards {
    all: Vec<Mutex<Queue>>,
    /// Held by everybody who waits.
    waiting: Arc<()>,
}

/// Sends of some conversations, in the order in which they came.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<PendingSend>,
    /// Conversations that another transaction works on. One of ours waits for it, apart, and the others for ours.
    held_up: HashSet<ConversationId>,
    is_served: bool,
}

#[derive(Debug)]
struct PendingSend {
    letter: SendRequest,
    caller: Waiter,
}

/// Who waits.
#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Result<Sent, Error>>,
    meter: Option<Arc<QueryStats>>,
    _waits: Arc<()>,
}

impl SendQueue {
    /// Nobody waits yet.
    #[must_use]
    pub fn new(backend: DbBackend) -> Self {
        let queues = match backend {
            DbBackend::Postgres => POSTGRES_QUEUES,
            _ => 1,
        };
        Self(Arc::new(Shards {
            all: (0..queues).map(|_| Mutex::default()).collect(),
            waiting: Arc::default(),
        }))
    }

    /// Which queue is this conversation's. It has one: transactions that send there would wait for each other.
    fn place(&self, conversation: ConversationId) -> usize {
        let (_, random) = conversation.0.as_u64_pair();
        let random = usize::try_from(random % 1024).unwrap_or_default();
        random % self.0.all.len().max(1)
    }

    /// How many were not answered yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        Arc::strong_count(&self.0.waiting) - 1
    }

    fn queue(&self, place: usize) -> Option<MutexGuard<'_, Queue>> {
        let queue = self.0.all.get(place)?;
        Some(queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Queue {
    /// Takes a place at its end; true when nobody serves the queue, which is for the caller to do then.
    fn join(&mut self, waiting: PendingSend) -> bool {
        self.waiting.push_back(waiting);
        !std::mem::replace(&mut self.is_served, true)
    }

    /// The first ones, so many at most; none when nobody can be sent, and then nobody serves the queue any more.
    fn take(&mut self, most: usize) -> Option<Vec<PendingSend>> {
        let (mut taken, mut keys, mut rest) = (vec![], HashSet::new(), VecDeque::new());
        while taken.len() < most
            && let Some(next) = self.waiting.pop_front()
        {
            let is_held_up = self.held_up.contains(&next.letter.new.conversation);
            // Whoever repeats another is told what became of that, when it is known.
            let is_first = next.letter.key().is_none_or(|key| keys.insert(key));
            if is_first && !is_held_up {
                taken.push(next);
            } else {
                rest.push_back(next);
            }
        }
        rest.append(&mut self.waiting);
        self.waiting = rest;
        self.is_served = !taken.is_empty();
        Some(taken).filter(|_| self.is_served)
    }

    /// A conversation is not held up any more; true when nobody serves the queue, which is for the caller to do then.
    fn release(&mut self, conversation: ConversationId) -> bool {
        self.held_up.remove(&conversation);
        !std::mem::replace(&mut self.is_served, true)
    }
}

/// Sends a letter with the others that wait. It is sent even when its caller does not wait any more.
pub(super) async fn send(
    core: &Core,
    sends: &SendQueue,
    letter: SendRequest,
) -> Result<Sent, Error> {
    let (answer, answered) = oneshot::channel();
    let meter = QueryStats::current();
    let place = sends.place(letter.new.conversation);
    let caller = Waiter {
        answer,
        meter,
        _waits: Arc::clone(&sends.0.waiting),
    };
    let waiting = PendingSend { letter, caller };
    if sends
        .queue(place)
        .is_some_and(|mut queue| queue.join(waiting))
    {
        let serving = serve(core.clone(), sends.clone(), place);
        core.tasks.spawn(serving);
    }
    let lost = |_| Error::internal("a send was left without an answer");
    answered.await.map_err(lost)?
}

/// Sends all that wait in a queue, until nobody does.
async fn serve(core: Core, sends: SendQueue, place: usize) {
    let next = || sends.queue(place)?.take(core.config.send_batch_size);
    while let Some(waiting) = next() {
        for (conversation, waiting) in send_all(&core, waiting, LockWait::SkipLocked).await {
            wait_for(&core, &sends, conversation, waiting);
        }
    }
}

/// Sends these once others are done with their conversation.
fn wait_for(
    core: &Core,
    sends: &SendQueue,
    conversation: ConversationId,
    waiting: Vec<PendingSend>,
) {
    let place = sends.place(conversation);
    if let Some(mut queue) = sends.queue(place) {
        queue.held_up.insert(conversation);
    }
    let (core, tasks, sends) = (core.clone(), core.tasks.clone(), sends.clone());
    let sending: BoxFuture<'static, ()> = async move {
        send_all(&core, waiting, LockWait::Block).await;
        let is_unserved = sends
            .queue(place)
            .is_some_and(|mut queue| queue.release(conversation));
        if is_unserved {
            serve(core, sends, place).await;
        }
    }
    .boxed();
    tasks.spawn(sending);
}

/// Those who wait in conversations that others work on.
type HeldUp = BTreeMap<ConversationId, Vec<PendingSend>>;

/// Sends these in one transaction. When it fails, which may be the fault of one of them, each is tried by itself.
async fn send_all(core: &Core, waiting: Vec<PendingSend>, lock: LockWait) -> HeldUp {
    let (letters, callers): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .map(|PendingSend { letter, caller }| (letter, caller))
        .unzip();
    let attempt = attempt(core, &letters, &callers, lock).await;
    let waiting = letters.into_iter().zip(callers);
    let waiting = waiting.map(|(letter, caller)| PendingSend { letter, caller });
    let mut held_up = HeldUp::new();
    match attempt {
        Ok(outcomes) => {
            for (waiting, outcome) in waiting.zip(outcomes) {
                match outcome {
                    Some(outcome) => waiting.caller.hears(outcome),
                    None => held_up
                        .entry(waiting.letter.new.conversation)
                        .or_default()
                        .push(waiting),
                }
            }
        }
        Err(error) if waiting.len() == 1 || is_shared(&error, lock) => {
            waiting.for_each(|waiting| waiting.caller.hears(Err(error.clone())));
        }
        Err(error) => {
            tracing::warn!(%error, "messages could not be sent together and are sent one by one");
            waiting.for_each(|waiting| send_alone(core, waiting));
        }
    }
    held_up
}

/// Whether an error is nobody's fault: the database is away, or the conversation they wait for is not let go.
fn is_shared(error: &Error, lock: LockWait) -> bool {
    error.code() == Code::Unavailable || error.code() == Code::Timeout && lock == LockWait::Block
}

/// Sends this one while others go on.
fn send_alone(core: &Core, waiting: PendingSend) {
    let (core, tasks) = (core.clone(), core.tasks.clone());
    let sending: BoxFuture<'static, ()> = async move {
        send_all(&core, vec![waiting], LockWait::Block).await;
    }
    .boxed();
    tasks.spawn(sending);
}

async fn attempt(
    core: &Core,
    letters: &[SendRequest],
    callers: &[Waiter],
    lock: LockWait,
) -> Result<Vec<Outcome>, Error> {
    let meter = Arc::new(QueryStats::default());
    let sending = core
        .db
        .write(|tx| async move { send_in(&tx, core, letters, lock).await });
    let sending = Arc::clone(&meter).measure(db::with_batch_timeout(sending));
    let ended = AssertUnwindSafe(sending).catch_unwind().await;
    meter.share(callers.iter().map(|caller| caller.meter.as_deref()));
    ended.unwrap_or_else(|_| Err(Error::internal("sending panicked")))
}

impl Waiter {
    /// They may be gone: it is sent all the same.
    fn hears(self, outcome: Result<Sent, Error>) {
        let _ = self.answer.send(outcome);
    }
}
