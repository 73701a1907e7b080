//! One loader per request, holding the viewer. Each noun teaches it keys in its own `loader.rs`,
//! named after the question: `UserKey`, `RepliesOf`.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_graphql::{
    ContextBase, Name, QueryPathSegment,
    dataloader::{DataLoader, Loader},
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

use crate::{
    app::App,
    db::with_timeout,
    domain::{messages::projection::Row, pagination::Slice, sessions::Viewer},
    error::Error,
    graphql::{
        context::Caller, errors::FieldError, messages::loader::TimelineOf,
        threads::loader::ThreadRepliesOf,
    },
};

/// Answers the questions of one request in as few statements as there are kinds of question.
#[derive(Debug)]
pub struct Loaders {
    app: App,
    caller: Caller,
    prefetched: Mutex<PrefetchedPages>,
}

/// Pages that were read together with what they belong to, until they are asked for.
#[derive(Debug, Default)]
struct PrefetchedPages {
    timeline: Option<(TimelineOf, Slice<Row>)>,
    replies: Option<(ThreadRepliesOf, Slice<Row>)>,
}

impl Loaders {
    /// A loader for this caller.
    #[must_use]
    pub fn new(app: &App, caller: Caller) -> Self {
        Self {
            app: app.clone(),
            caller,
            prefetched: Mutex::default(),
        }
    }

    fn prefetched(&self) -> MutexGuard<'_, PrefetchedPages> {
        self.prefetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a page until it is asked for.
    pub(crate) fn keep_timeline(&self, key: TimelineOf, part: Slice<Row>) {
        self.prefetched().timeline = Some((key, part));
    }

    /// The page that was kept, if it is what these ask for.
    pub(crate) fn kept_timeline(&self, keys: &[TimelineOf]) -> Option<(TimelineOf, Slice<Row>)> {
        let mut prefetched = self.prefetched();
        prefetched
            .timeline
            .take_if(|(key, _)| keys == std::slice::from_ref(key))
    }

    /// Keeps a page until it is asked for.
    pub(crate) fn keep_replies(&self, key: ThreadRepliesOf, part: Slice<Row>) {
        self.prefetched().replies = Some((key, part));
    }

    /// The page that was kept, if it is what these ask for.
    pub(crate) fn kept_replies(
        &self,
        keys: &[ThreadRepliesOf],
    ) -> Option<(ThreadRepliesOf, Slice<Row>)> {
        let mut prefetched = self.prefetched();
        prefetched
            .replies
            .take_if(|(key, _)| keys == std::slice::from_ref(key))
    }

    /// The running server.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The signed-in person.
    pub fn viewer(&self) -> Result<&Viewer, FieldError> {
        self.caller
            .viewer()
            .ok_or_else(|| FieldError::from(Error::unauthenticated()))
    }
}

/// The loaders of a request. A database that does not answer is told as UNAVAILABLE, before their task is given up.
#[derive(Clone, Copy)]
pub(crate) struct LoaderHandle<'a> {
    loader: &'a DataLoader<Loaders>,
    is_unbatched: bool,
}

impl<'a> LoaderHandle<'a> {
    /// For a field that others may ask alike with.
    pub(crate) fn shared(loader: &'a DataLoader<Loaders>) -> Self {
        Self {
            loader,
            is_unbatched: false,
        }
    }

    /// For the field of this context, which nothing beside it can share a statement with when it is executed once: it
    /// asks at once then, instead of waiting a moment for others to ask alike. `may_repeat_fields` as [`may_repeat_fields`] has it.
    pub(crate) fn unbatched<T>(
        ctx: &ContextBase<'a, T>,
        loader: &'a DataLoader<Loaders>,
        may_repeat_fields: bool,
    ) -> Self {
        let is_unbatched = !may_repeat_fields && !is_in_list(ctx);
        Self {
            loader,
            is_unbatched,
        }
    }

    /// The loader itself, for whoever asks at once.
    pub(crate) fn alone(&self) -> Option<&'a Loaders> {
        self.is_unbatched.then(|| self.loader.loader())
    }

    /// Answers one question.
    pub(crate) async fn load_one<K>(
        &self,
        key: K,
    ) -> Result<Option<<Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        let mut found = self.load_many([key.clone()]).await?;
        Ok(found.remove(&key))
    }

    /// Answers several questions.
    pub(crate) async fn load_many<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, <Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        if !self.is_unbatched {
            return with_timeout(self.loader.load_many(keys)).await;
        }
        let keys: Vec<K> = keys.into_iter().collect();
        with_timeout(self.loader.loader().load(&keys)).await
    }
}

fn is_in_list<T>(ctx: &ContextBase<'_, T>) -> bool {
    let mut at = ctx.path_node.as_ref();
    while let Some(node) = at {
        if matches!(node.segment, QueryPathSegment::Index(_)) {
            return true;
        }
        at = node.parent;
    }
    false
}

/// The outermost selection sets of a document: of its operations and of its fragments.
fn sets(document: &ExecutableDocument) -> Vec<&SelectionSet> {
    let operations = document.operations.iter();
    let operations = operations.map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values();
    let fragments = fragments.map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).collect()
}

/// Whether a document may have a field executed more than once outside of lists: by another name, or in a fragment that
/// is spread twice.
pub(crate) fn may_repeat_fields(document: &ExecutableDocument) -> bool {
    let mut spread = HashSet::new();
    let mut sets = sets(document);
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.alias.is_some() => return true,
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(fragment) => {
                    let name: &Name = &fragment.node.fragment_name.node;
                    if !spread.insert(name) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

/// Fields that are looked at for what they may have in common, before all is taken to be merged.
const MOST_LOOKS: usize = 2000;

/// Whether a document may have fields executed apart that are one field of the answer: asked twice in the same place,
/// or in fragments that are spread there.
pub(crate) fn has_mergeable_fields(document: &ExecutableDocument) -> bool {
    let mut looks = 0;
    let mut sets = sets(document);
    while let Some(set) = sets.pop() {
        let mut objects: Vec<&Name> = vec![];
        let mut same = vec![set];
        while let Some(part) = same.pop() {
            for selection in &part.items {
                looks += 1;
                match &selection.node {
                    Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {}
                    Selection::Field(field) => {
                        objects.push(&field.node.response_key().node);
                        sets.push(&field.node.selection_set.node);
                    }
                    Selection::InlineFragment(inline) => same.push(&inline.node.selection_set.node),
                    Selection::FragmentSpread(spread) => {
                        let found = document.fragments.get(&spread.node.fragment_name.node);
                        same.extend(found.map(|found| &found.node.selection_set.node));
                    }
                }
            }
            if looks > MOST_LOOKS {
                return true;
            }
        }
        objects.sort_unstable();
        if objects.array_windows().any(|[one, next]| one == next) {
            return true;
        }
    }
    false
}

/// Rows under the key that each of them has.
pub(crate) fn by_key<K, R, V>(
    rows: Vec<R>,
    key: impl Fn(&R) -> K,
    value: impl Fn(R) -> V,
) -> HashMap<K, V>
where
    K: Eq + Hash,
{
    rows.into_iter()
        .map(|row| (key(&row), value(row)))
        .collect()
}
