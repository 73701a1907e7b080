//! Group commit: sends that are queued while a transaction runs share the next one. No send waits for others to arrive,
//! and the result of each is the same as without batching.

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

/// Concurrent send transactions of one process on PostgreSQL: one executes while the other commits. With more of them
/// the batches are smaller, and all sends take longer. SQLite has one writer.
const POSTGRES_QUEUES: usize = 2;

/// The queued sends of this process.
#[derive(Clone, Debug)]
pub struct SendQueue(Arc<Shards>);

#[derive(Debug)]
struct Shards {
    all: Vec<Mutex<Queue>>,
    /// Each waiter holds a clone, so the reference count is the number of waiters.
    waiting: Arc<()>,
}

/// The queued sends of one shard of the conversations, in order of arrival.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<PendingSend>,
    /// Conversations that another transaction has locked. One separate transaction waits for the lock, and later sends
    /// to them stay queued.
    locked: HashSet<ConversationId>,
    is_served: bool,
}

#[derive(Debug)]
struct PendingSend {
    request: SendRequest,
    caller: Waiter,
}

/// The caller of a queued send, who waits for the result.
#[derive(Debug)]
struct Waiter {
    result_sender: oneshot::Sender<Result<Sent, Error>>,
    meter: Option<Arc<QueryStats>>,
    _waits: Arc<()>,
}

impl SendQueue {
    /// Creates empty queues.
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

    /// The index of the conversation's queue. A conversation has one queue, because two transactions that send to it
    /// would wait for each other.
    fn index(&self, conversation: ConversationId) -> usize {
        let (_, random) = conversation.0.as_u64_pair();
        let random = usize::try_from(random % 1024).unwrap_or_default();
        random % self.0.all.len().max(1)
    }

    /// The number of sends without a result.
    #[must_use]
    pub fn waiting(&self) -> usize {
        Arc::strong_count(&self.0.waiting) - 1
    }

    fn queue(&self, index: usize) -> Option<MutexGuard<'_, Queue>> {
        let queue = self.0.all.get(index)?;
        Some(queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Queue {
    /// Appends a send. Returns true when no task serves the queue: the caller must start one.
    fn join(&mut self, waiting: PendingSend) -> bool {
        self.waiting.push_back(waiting);
        !std::mem::replace(&mut self.is_served, true)
    }

    /// Takes the next batch of at most `most` sends. Returns `None` when no send can be taken; then the queue is no
    /// longer served.
    fn take(&mut self, most: usize) -> Option<Vec<PendingSend>> {
        let (mut taken, mut keys, mut rest) = (vec![], HashSet::new(), VecDeque::new());
        while taken.len() < most
            && let Some(next) = self.waiting.pop_front()
        {
            let is_locked = self.locked.contains(&next.request.new.conversation);
            // A repeated idempotency key waits for the next batch and returns the first message.
            let is_new_key = next.request.key().is_none_or(|key| keys.insert(key));
            if is_new_key && !is_locked {
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

    /// Unlocks a conversation. Returns true when no task serves the queue: the caller must start one.
    fn release(&mut self, conversation: ConversationId) -> bool {
        self.locked.remove(&conversation);
        !std::mem::replace(&mut self.is_served, true)
    }
}

/// Queues a send and waits for its result. The message is sent even if the caller stops waiting.
pub(super) async fn send(
    core: &Core,
    sends: &SendQueue,
    request: SendRequest,
) -> Result<Sent, Error> {
    let (result_sender, result) = oneshot::channel();
    let meter = QueryStats::current();
    let index = sends.index(request.new.conversation);
    let caller = Waiter {
        result_sender,
        meter,
        _waits: Arc::clone(&sends.0.waiting),
    };
    let waiting = PendingSend { request, caller };
    if sends
        .queue(index)
        .is_some_and(|mut queue| queue.join(waiting))
    {
        let serving = serve(core.clone(), sends.clone(), index);
        core.tasks.spawn(serving);
    }
    let lost = |_| Error::internal("a send was dropped without a result");
    result.await.map_err(lost)?
}

/// Sends batches from a queue until no send can be taken.
async fn serve(core: Core, sends: SendQueue, index: usize) {
    let next = || sends.queue(index)?.take(core.config.send_batch_size);
    while let Some(waiting) = next() {
        for (conversation, waiting) in send_all(&core, waiting, LockWait::SkipLocked).await {
            wait_for(&core, &sends, conversation, waiting);
        }
    }
}

/// Sends these messages after other transactions have released their conversation.
fn wait_for(
    core: &Core,
    sends: &SendQueue,
    conversation: ConversationId,
    waiting: Vec<PendingSend>,
) {
    let index = sends.index(conversation);
    if let Some(mut queue) = sends.queue(index) {
        queue.locked.insert(conversation);
    }
    let (core, tasks, sends) = (core.clone(), core.tasks.clone(), sends.clone());
    let sending: BoxFuture<'static, ()> = async move {
        send_all(&core, waiting, LockWait::Block).await;
        let is_unserved = sends
            .queue(index)
            .is_some_and(|mut queue| queue.release(conversation));
        if is_unserved {
            Box::pin(serve(core, sends, index)).await;
        }
    }
    .boxed();
    tasks.spawn(sending);
}

/// Sends to conversations that other transactions have locked.
type Locked = BTreeMap<ConversationId, Vec<PendingSend>>;

/// Sends these messages in one transaction. If it fails, possibly because of one of them, each is retried separately.
async fn send_all(core: &Core, waiting: Vec<PendingSend>, lock: LockWait) -> Locked {
    let (requests, callers): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .map(|PendingSend { request, caller }| (request, caller))
        .unzip();
    let attempt = attempt(core, &requests, &callers, lock).await;
    let waiting = requests.into_iter().zip(callers);
    let waiting = waiting.map(|(request, caller)| PendingSend { request, caller });
    let mut locked = Locked::new();
    match attempt {
        Ok(outcomes) => {
            for (waiting, outcome) in waiting.zip(outcomes) {
                match outcome {
                    Some(outcome) => waiting.caller.resolve(outcome),
                    None => locked
                        .entry(waiting.request.new.conversation)
                        .or_default()
                        .push(waiting),
                }
            }
        }
        Err(error) if waiting.len() == 1 || is_shared(&error, lock) => {
            waiting.for_each(|waiting| waiting.caller.resolve(Err(error.clone())));
        }
        Err(error) => {
            tracing::warn!(%error, "messages could not be sent together and are sent one by one");
            waiting.for_each(|waiting| send_alone(core, waiting));
        }
    }
    locked
}

/// Whether an error is not caused by a single send: the database is unavailable, or the lock was not released in time.
fn is_shared(error: &Error, lock: LockWait) -> bool {
    error.code() == Code::Unavailable || error.code() == Code::Timeout && lock == LockWait::Block
}

/// Sends one message in its own transaction, concurrently with others.
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
    requests: &[SendRequest],
    callers: &[Waiter],
    lock: LockWait,
) -> Result<Vec<Outcome>, Error> {
    let meter = Arc::new(QueryStats::default());
    let sending = core
        .db
        .write(|tx| async move { send_in(&tx, core, requests, lock).await });
    let sending = Arc::clone(&meter).measure(db::with_batch_timeout(sending));
    let ended = AssertUnwindSafe(sending).catch_unwind().await;
    meter.share(callers.iter().map(|caller| caller.meter.as_deref()));
    ended.unwrap_or_else(|_| Err(Error::internal("sending panicked")))
}

impl Waiter {
    /// Returns the result to the caller, unless they have stopped waiting.
    fn resolve(self, outcome: Result<Sent, Error>) {
        let _ = self.result_sender.send(outcome);
    }
}
