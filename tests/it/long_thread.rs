//! A thread of ten thousand replies is read completely, in any order, direction and part: every reply once, and each
//! page for the same number of statements and the same work.

use heddle::{
    config::Config,
    domain::{
        import::{self, History, ImportedGroup, ImportedMember, ImportedMessage},
        integrity::{self, Wrong},
    },
    entity::participant::ParticipantRole,
    id::{ConversationId, MessageId, ParticipantId, UserId},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    person::{Person, text},
    query_cost::{self, QueryCost},
    seed::seed,
};

const REPLIES: usize = 10_000;
const DEEPEST: usize = 50;
const PAGE: usize = 100;

/// A thread that is often deeper than tree order nests.
const DEEP_REPLIES: usize = 1_500;
const LOW: i32 = 4;

#[tokio::test]
async fn a_thread_of_ten_thousand_is_read_from_end_to_end_on_sqlite() {
    read_from_end_to_end(TestApp::sqlite_with(query_cost::on_connections).await).await;
}

#[tokio::test]
async fn a_thread_of_ten_thousand_is_read_from_end_to_end_on_postgres() {
    read_from_end_to_end(TestApp::postgres().await).await;
}

fn low(config: &mut Config) {
    query_cost::on_connections(config);
    config.thread_depth = LOW;
}

#[tokio::test]
async fn a_thread_below_the_deepest_level_is_read_completely_on_sqlite() {
    read_below_the_deepest_level(TestApp::sqlite_with(low).await).await;
}

#[tokio::test]
async fn a_thread_below_the_deepest_level_is_read_completely_on_postgres() {
    read_below_the_deepest_level(TestApp::postgres_with(low).await).await;
}

async fn read_below_the_deepest_level(app: TestApp) {
    let ann = app.person("Ann").await;
    let tree = Tree::grown(&app, &ann, DEEP_REPLIES, usize::MAX).await;
    let proved = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(proved, Wrong::default());
    let work = QueryCost::watch(&app.app.db).await;
    let reading = Reading {
        tree: &tree,
        ann: &ann,
        work: &work,
    };
    let size = |reply: &usize| tree.below(*reply, usize::MAX).len();
    let largest = |depth: usize| {
        let replies = (1..=DEEP_REPLIES).filter(|&reply| tree.depth[reply] == depth);
        replies.max_by_key(size).unwrap()
    };
    let limit = usize::try_from(LOW).unwrap();
    let mut parts = vec![(0, json!({}))];
    for depth in limit - 1..limit + 3 {
        let reply = largest(depth);
        parts.push((reply, json!({ "under": tree.ids[reply] })));
    }
    for (under, part) in parts {
        for levels in [1, 2, limit, limit + 2, 1000] {
            let mut part = part.clone();
            part["maxDepth"] = json!(levels);
            let below = tree.below(under, levels);
            let mut by_time = below.clone();
            by_time.sort_unstable();
            for end in ["first", "last"] {
                reading.walk(end, part.clone(), &below).await;
                part["order"] = json!("OLDEST_FIRST");
                reading.walk(end, part.clone(), &by_time).await;
                let newest: Vec<usize> = by_time.iter().rev().copied().collect();
                part["order"] = json!("NEWEST_FIRST");
                reading.walk(end, part.clone(), &newest).await;
                part["order"] = Value::Null;
            }
        }
    }
}

async fn read_from_end_to_end(app: TestApp) {
    let ann = app.person("Ann").await;
    let tree = Tree::grown(&app, &ann, REPLIES, DEEPEST).await;
    assert_eq!(
        integrity::prove(&app.app.db).await.unwrap(),
        Wrong::default()
    );
    let work = QueryCost::watch(&app.app.db).await;
    let reading = Reading {
        tree: &tree,
        ann: &ann,
        work: &work,
    };
    let whole = tree.below(0, usize::MAX);
    assert_eq!(whole.len(), REPLIES);
    for end in ["first", "last"] {
        reading.costs_the_same(end, json!({}), &whole).await;
    }
    let mut by_time: Vec<usize> = (1..=REPLIES).collect();
    let oldest = json!({ "order": "OLDEST_FIRST" });
    reading.costs_the_same("last", oldest, &by_time).await;
    by_time.reverse();
    let newest = json!({ "order": "NEWEST_FIRST" });
    reading.costs_the_same("first", newest, &by_time).await;
    // A reply with many replies and many siblings.
    let size = |reply: &usize| tree.below(*reply, usize::MAX).len();
    let branches = (1..=REPLIES).filter(|reply| (1000..3000).contains(&size(reply)));
    let branch = branches.max_by_key(size).unwrap();
    let under = &tree.ids[branch];
    let below = tree.below(branch, usize::MAX);
    for end in ["first", "last"] {
        let part = json!({ "under": under });
        reading.costs_the_same(end, part, &below).await;
        for levels in [1, 3] {
            let part = json!({ "maxDepth": levels });
            reading.walk(end, part, &tree.below(0, levels)).await;
            let part = json!({ "maxDepth": levels, "under": under });
            reading.walk(end, part, &tree.below(branch, levels)).await;
        }
    }
}

/// The root at index 0 and its replies, in the order of sending.
struct Tree {
    thread: String,
    ids: Vec<String>,
    parents: Vec<usize>,
    depth: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// The position of each message in tree order.
    order: Vec<usize>,
}

impl Tree {
    /// Builds a random tree: half of the replies have the message before them as parent, so that it is deep, and half
    /// have any parent, so that it is wide.
    async fn grown(app: &TestApp, ann: &Person, replies: usize, deepest: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(seed());
        let mut tree = Self {
            thread: String::new(),
            ids: vec![],
            parents: vec![0],
            depth: vec![0],
            children: vec![vec![]; replies + 1],
            order: vec![],
        };
        for reply in 1..=replies {
            let mut parent = reply - 1;
            if random.random_bool(0.3) || tree.depth[parent] == deepest {
                parent = random.random_range(0..reply);
            }
            if tree.depth[parent] == deepest {
                parent = 0;
            }
            tree.parents.push(parent);
            tree.depth.push(tree.depth[parent] + 1);
            tree.children[parent].push(reply);
        }
        tree.order = tree.tree_order(usize::try_from(app.app.config.thread_depth).unwrap());
        tree.is_written(app, ann).await;
        tree
    }

    /// The position of each message when replies to messages at or below this depth follow the message at this depth.
    fn tree_order(&self, limit: usize) -> Vec<usize> {
        let mut followed = self.parents.clone();
        let mut children = vec![vec![]; self.parents.len()];
        for (reply, &parent) in self.parents.iter().enumerate().skip(1) {
            if self.depth[parent] >= limit {
                followed[reply] = followed[parent];
            }
            children[followed[reply]].push(reply);
        }
        let (mut order, mut open, mut next) = (vec![0; self.parents.len()], vec![0], 0);
        while let Some(reply) = open.pop() {
            order[reply] = next;
            next += 1;
            open.extend(children[reply].iter().rev());
        }
        order
    }

    async fn is_written(&mut self, app: &TestApp, ann: &Person) {
        let at = app.app.clock.now();
        let user = UserId::from_text(&ann.id);
        let group = &ImportedGroup {
            id: ConversationId::mint(),
            title: "Long".to_owned(),
            topic: None,
            at,
        };
        let member = ImportedMember {
            id: ParticipantId::mint(),
            user,
            role: ParticipantRole::Member,
            read_floor_seq: 0,
        };
        let past = self
            .parents
            .iter()
            .enumerate()
            .map(|(reply, &parent)| ImportedMessage {
                id: MessageId::mint(),
                sender: user,
                parent: (reply > 0).then_some(parent),
                at,
                body: reply.to_string(),
                key: None,
            });
        let past: &Vec<_> = &past.collect();
        app.app
            .db
            .write(|tx| async move {
                import::group_in(&tx, group).await?;
                import::members_in(&tx, group.id, &[member], at).await?;
                let history = History::new(group.id, app.app.config.thread_depth);
                history.append_in(&tx, past).await
            })
            .await
            .unwrap();
        self.ids = past.iter().map(|past| past.id.to_string()).collect();
        let thread = "query($id: ID!) { message(id: $id) { thread { id replyCount } } }";
        let data = ann.execute(thread, json!({ "id": self.ids[0] })).await;
        let replies = self.parents.len() - 1;
        assert_eq!(data["message"]["thread"]["replyCount"], replies);
        self.thread = text(&data["message"]["thread"]["id"]);
    }

    /// The replies below a message, up to this depth, in tree order.
    fn below(&self, reply: usize, levels: usize) -> Vec<usize> {
        let mut list = vec![];
        let mut open: Vec<usize> = self.children[reply].iter().rev().copied().collect();
        let deepest = self.depth[reply].saturating_add(levels);
        while let Some(next) = open.pop() {
            if self.depth[next] <= deepest {
                list.push(next);
                open.extend(self.children[next].iter().rev());
            }
        }
        list.sort_unstable_by_key(|&reply| self.order[reply]);
        list
    }
}

struct Reading<'a> {
    tree: &'a Tree,
    ann: &'a Person,
    work: &'a QueryCost,
}

/// The cost of a page.
#[derive(Debug)]
struct Cost {
    statements: u32,
    work: i64,
}

impl Reading<'_> {
    /// Verifies that every full page takes the same work.
    async fn costs_the_same(&self, end: &str, part: Value, expected: &[usize]) {
        let mut pages = self.walk(end, part.clone(), expected).await;
        // The last page may be short, and the first has no cursor, which saves work.
        pages.pop();
        let first = pages.remove(0);
        let about = format!("{end} {part}: {first:?}, {pages:?}");
        assert!(pages.len() > 5, "{about}");
        // Behind a cursor, one more reads whether anything precedes or follows.
        let count = first.statements + 1;
        let same = |page: &Cost| page.statements == count;
        assert!(pages.iter().all(same), "{about}");
        let least = pages.iter().map(|page| page.work).min().unwrap();
        let most = pages.iter().map(|page| page.work).max().unwrap();
        assert!(least > 0, "{about}");
        let spread = self.work.spread_percent();
        assert!(
            most * 100 <= least * (100 + spread),
            "{least} to {most}: {about}"
        );
        assert!(first.work * 100 <= least * (100 + spread), "{about}");
    }

    /// Reads all pages from one end and compares them with the expected list.
    async fn walk(&self, end: &str, part: Value, expected: &[usize]) -> Vec<Cost> {
        let query = |node: &str| {
            format!(
                "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String,
                $order: ThreadOrder, $maxDepth: Int, $under: ID) {{
                thread(id: $id) {{ replies(first: $first, after: $after, last: $last, before: $before,
                    order: $order, maxDepth: $maxDepth, under: $under) {{
                    edges {{ depth hiddenReplyCount node {{ {node} }} }}
                    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
            )
        };
        // Parents on another page are loaded, and their number differs between pages.
        let (checked, measured) = (query("id parent { id }"), query("id"));
        let is_forward = end == "first";
        let (far, cursor, next) = if is_forward {
            ("after", "endCursor", "hasNextPage")
        } else {
            ("before", "startCursor", "hasPreviousPage")
        };
        let mut variables = part;
        variables["id"] = json!(self.tree.thread);
        variables[end] = json!(PAGE);
        if variables["order"].is_null() {
            variables["order"] = json!("TREE");
        }
        let (mut costs, mut left) = (vec![], expected);
        loop {
            let (data, statements) = self.ann.count_statements(&checked, variables.clone()).await;
            let before = self.work.so_far().await;
            self.ann.execute(&measured, variables.clone()).await;
            let work = self.work.so_far().await - before;
            costs.push(Cost { statements, work });
            let size = left.len().min(PAGE);
            let page;
            (page, left) = if is_forward {
                left.split_at(size)
            } else {
                let (rest, page) = left.split_at(left.len() - size);
                (page, rest)
            };
            let replies = &data["thread"]["replies"];
            self.is(page, &variables, &replies["edges"]);
            if replies["pageInfo"][next] == false {
                assert!(left.is_empty(), "{} were left out", left.len());
                return costs;
            }
            variables[far] = replies["pageInfo"][cursor].clone();
        }
    }

    fn is(&self, page: &[usize], variables: &Value, edges: &Value) {
        let tree = self.tree;
        let reply_of = |id: &Value| tree.ids.iter().position(|known| id == known);
        let level = reply_of(&variables["under"]).map_or(0, |reply| tree.depth[reply]);
        let edges = edges.as_array().unwrap();
        assert_eq!(edges.len(), page.len());
        for (edge, &reply) in edges.iter().zip(page) {
            let depth = tree.depth[reply] - level;
            let hidden = if variables["maxDepth"] == depth {
                tree.below(reply, usize::MAX).len()
            } else {
                0
            };
            let parent = &tree.ids[tree.parents[reply]];
            let expected = json!({
                "depth": depth,
                "hiddenReplyCount": hidden,
                "node": { "id": tree.ids[reply], "parent": { "id": parent } },
            });
            assert_eq!(*edge, expected);
        }
    }
}
