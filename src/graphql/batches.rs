//! The batches of a request: keys that its fields load wait until nothing else of the request can run, and are then
//! loaded together.
//!
//! The executor polls a request in one task. When it returns `Pending` and has not woken up its task, every field has
//! either finished or waits: for a batch, or for something that was started before. When nothing is in progress any
//! more, no further key can arrive, and the queued ones are loaded. The number of batches therefore depends on the
//! document alone, and neither on the number of keys nor on the load of the machine.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    fmt,
    future::poll_fn,
    hash::Hash,
    mem,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_graphql::dataloader::{DataLoader, Loader};
use futures_util::{FutureExt, future::BoxFuture, task::AtomicWaker};
use tokio::{sync::oneshot, task::unconstrained};

use crate::{db, error::Error, graphql::errors::FieldError};

/// Keys that are loaded together. A statement binds each of them, and databases limit the number.
const KEYS_PER_LOAD: usize = 1000;

type Load = BoxFuture<'static, ()>;

/// What the fields of a request load with the loaders `L`.
pub struct Batches<L> {
    loader: DataLoader<L>,
    queues: Mutex<Queues<L>>,
    /// The loads that the loader has started.
    started: Arc<Mutex<Started>>,
    /// The number of loads that wait for no batch.
    direct: AtomicUsize,
}

/// The loads of the loader.
#[derive(Default)]
struct Started {
    loads: Vec<Load>,
    /// Whether the task of the request runs them.
    is_driven: bool,
}

/// The queued keys by type.
struct Queues<L> {
    by_type: HashMap<TypeId, Box<dyn Queue<L>>>,
    /// Wakes the task of the request, while it waits.
    waker: Option<Waker>,
}

impl<L> Queues<L> {
    /// Wakes the task of the request if it waits: another task executes one of its fields.
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

trait Queue<L>: Send {
    /// Loads the queued keys.
    fn load(self: Box<Self>, batches: Arc<Batches<L>>) -> Load;

    fn as_any(&mut self) -> &mut dyn Any;
}

type Values<K, L> = HashMap<K, <L as Loader<K>>::Value>;
type Reply<K, L> = oneshot::Sender<Result<Values<K, L>, FieldError>>;

/// The keys of one type, for each field that waits for some.
struct KeyQueue<K, L>(Vec<(Vec<K>, Reply<K, L>)>)
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    L: Loader<K, Error = FieldError>;

impl<K, L> Queue<L> for KeyQueue<K, L>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    L: Loader<K, Error = FieldError>,
{
    fn load(self: Box<Self>, batches: Arc<Batches<L>>) -> Load {
        let load = async move {
            let keys = self.0.iter().flat_map(|(keys, _)| keys.iter().cloned());
            let loaded = batches.load_distinct(keys.collect()).await;
            for (keys, reply) in self.0 {
                let part = loaded.as_ref().map_err(Clone::clone).map(|values| {
                    let value = |key: K| Some((key.clone(), values.get(&key)?.clone()));
                    keys.into_iter().filter_map(value).collect()
                });
                // The field may have been abandoned.
                let _ = reply.send(part);
            }
        };
        load.boxed()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl<L> fmt::Debug for Batches<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}

impl<L: Send + Sync + 'static> Batches<L> {
    /// The batches of these loaders.
    #[must_use]
    pub fn new(loaders: L) -> Self {
        let started: Arc<Mutex<Started>> = Arc::default();
        let spawner = {
            let started = Arc::clone(&started);
            move |load| {
                let mut started = lock(&started);
                if started.is_driven {
                    started.loads.push(load);
                } else {
                    db::spawn_with_stats(load);
                }
            }
        };
        Self {
            // Whole batches arrive here: they are loaded immediately, and no timer is started.
            loader: DataLoader::new(loaders, spawner).max_batch_size(1),
            queues: Mutex::new(Queues {
                by_type: HashMap::new(),
                waker: None,
            }),
            started,
            direct: AtomicUsize::new(0),
        }
    }

    /// The loaders themselves.
    #[must_use]
    pub(in crate::graphql) fn loaders(&self) -> &L {
        self.loader.loader()
    }

    /// Loads the values of these keys with those of other fields.
    pub(in crate::graphql) async fn load<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Values<K, L>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        L: Loader<K, Error = FieldError>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        if !lock(&self.started).is_driven {
            return self.loader.load_many(keys).await;
        }
        let (reply, loaded) = oneshot::channel();
        self.enqueue(keys, reply);
        let abandoned = |_| Err(Error::internal("a batch was abandoned").into());
        loaded.await.unwrap_or_else(abandoned)
    }

    async fn load_distinct<K>(&self, keys: HashSet<K>) -> Result<Values<K, L>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        L: Loader<K, Error = FieldError>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let mut values = HashMap::with_capacity(keys.len());
        for some in keys.chunks(KEYS_PER_LOAD) {
            values.extend(self.loader.load_many(some.iter().cloned()).await?);
        }
        Ok(values)
    }

    fn enqueue<K>(&self, keys: Vec<K>, reply: Reply<K, L>)
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        L: Loader<K, Error = FieldError>,
    {
        let mut queues = lock(&self.queues);
        let queue = queues
            .by_type
            .entry(TypeId::of::<K>())
            .or_insert_with(|| Box::new(KeyQueue::<K, L>(vec![])));
        if let Some(queue) = queue.as_any().downcast_mut::<KeyQueue<K, L>>() {
            queue.0.push((keys, reply));
        }
        queues.wake();
    }

    /// Loads the values of these keys immediately. Batches wait for them, because their fields may need other keys.
    pub(in crate::graphql) async fn load_directly<K>(
        &self,
        keys: &[K],
    ) -> Result<Values<K, L>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        L: Loader<K, Error = FieldError>,
    {
        self.direct.fetch_add(1, Ordering::AcqRel);
        let _until_end = DirectLoad(self);
        self.loaders().load(keys).await
    }

    /// Runs the work of a request, and its batches whenever the work waits for nothing else.
    pub async fn run<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        let mut work = pin!(unconstrained(work));
        let mut running: Vec<Load> = vec![];
        lock(&self.started).is_driven = true;
        let wakes = Arc::new(Wakes::default());
        let own_waker = Waker::from(Arc::clone(&wakes));
        let output = poll_fn(|context| {
            wakes.task.register(context.waker());
            let mut context = Context::from_waker(&own_waker);
            lock(&self.queues).waker = None;
            loop {
                wakes.has_woken.store(false, Ordering::Release);
                if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
                    return Poll::Ready(output);
                }
                // Otherwise the work has only paused, so that other tasks can run.
                let is_waiting = !wakes.has_woken.load(Ordering::Acquire);
                if is_waiting && self.is_idle(&running) {
                    running.extend(self.queued());
                }
                if self.advance(&mut running, &mut context) {
                    continue;
                }
                let mut queues = lock(&self.queues);
                if !is_waiting || queues.by_type.is_empty() || !self.is_idle(&running) {
                    queues.waker = Some(own_waker.clone());
                    return Poll::Pending;
                }
                // Another task has queued a key meanwhile.
            }
        });
        let output = output.await;
        lock(&self.started).is_driven = false;
        output
    }

    /// Whether no load of the request is in progress.
    fn is_idle(&self, running: &[Load]) -> bool {
        running.is_empty() && self.direct.load(Ordering::Acquire) == 0
    }

    /// The loads of all queued keys.
    fn queued(self: &Arc<Self>) -> Vec<Load> {
        let queues = mem::take(&mut lock(&self.queues).by_type);
        let load = |queue: Box<dyn Queue<L>>| queue.load(Arc::clone(self));
        queues.into_values().map(load).collect()
    }

    /// Advances the loads. Returns whether one of them has ended.
    fn advance(&self, running: &mut Vec<Load>, context: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        loop {
            let before = running.len();
            running.retain_mut(|load| load.as_mut().poll(context).is_pending());
            let ended = running.len() < before;
            has_ended |= ended;
            let started = mem::take(&mut lock(&self.started).loads);
            // Each load waits for another one, which the loader has started for it.
            if started.is_empty() && !ended {
                return has_ended;
            }
            running.extend(started);
        }
    }
}

/// Whether the work was woken up since it was polled. Lists of many futures return `Pending` after many steps and wake up
/// their task immediately, although they can continue. The resources of tokio would wake it up later, which cannot be
/// recognised, so the work runs without their budget.
#[derive(Default)]
struct Wakes {
    has_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.has_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// A direct load, until it ends.
struct DirectLoad<'a, L>(&'a Batches<L>);

impl<L> Drop for DirectLoad<'_, L> {
    fn drop(&mut self) {
        self.0.direct.fetch_sub(1, Ordering::AcqRel);
        lock(&self.0.queues).wake();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
