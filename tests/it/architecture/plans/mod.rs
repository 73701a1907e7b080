//! Query plans of every hot statement: the databases use an index, and never scan a table that grows. Nothing is timed,
//! because with few rows a scan is fast.

mod day;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use heddle::db::Db;
use regex_lite::Regex;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionTrait};
use serde_json::{Map, Value};

use crate::support::app::TestApp;

/// A table, index or subquery that may be scanned, a text of the statements that may do so, and the reason.
type Allowed = (&'static str, &'static str, &'static str);

/// The allowed scans of SQLite.
const SQLITE_SCANS: [Allowed; 22] = [
    ("CONSTANT", "", "values of the statement"),
    (
        "(subquery)",
        "",
        "rows that the statement has already filtered",
    ),
    (
        "scope",
        "",
        "where the unread part of one conversation begins: one row",
    ),
    ("list", "", "a page of one list among several"),
    ("counted", "", "the viewer's conversations, counted"),
    (
        "span",
        "",
        "where what is unread of one conversation begins: one row",
    ),
    (
        "v",
        "WITH v (",
        "a table of values that a statement begins with",
    ),
    (
        "v",
        "WITH RECURSIVE v (",
        "a table of values that a statement begins with",
    ),
    ("p", "merged", "the lists that are merged, one by one"),
    ("merged", "", "a page of merged lists"),
    ("w", "", "those who wrote in the threads asked for"),
    ("p", "WITH span AS", "the spans of a user"),
    ("newest", "", "the newest notification of each span"),
    ("s", "WITH span AS", "the spans of a user"),
    ("chosen", "", "the spans that a page may come from"),
    ("oldest", "", "the time up to which a page may reach back"),
    ("part", "", "a page of the notifications of one span"),
    (
        "f",
        "WITH counted AS",
        "the threads that a participant follows",
    ),
    ("due", "FROM node WHERE", "expired presence"),
    ("node", "FROM node WHERE", "a row for each process"),
    (
        "typing",
        "FROM node WHERE",
        "who types now: rows are gone after seconds",
    ),
    ("user", "LIKE ?", "a search for any part of a name"),
];
/// The log in the order of its key: a query for new events starts at its first row.
const WHOLE_LOG: &str = "event_pkey";
/// The allowed scans of PostgreSQL.
const POSTGRES_SCANS: [Allowed; 3] = [
    ("node", "FROM node WHERE", "a row for each process"),
    (
        "typing",
        "FROM node WHERE",
        "who types now: rows are gone after seconds",
    ),
    (
        "user_display_name",
        "LIKE ?",
        "a search for any part of a name",
    ),
];

/// Statements in which PostgreSQL sorts a list although only a part of it is selected, with the reason.
const POSTGRES_SORTS: [Allowed; 6] = [
    (
        "sort",
        "WITH span AS MATERIALIZED",
        "the newest notification of each span, and a page of each",
    ),
    (
        "sort",
        "CROSS JOIN LATERAL (SELECT u.* FROM message u",
        "all unread messages of a user",
    ),
    (
        "sort",
        "head AS (SELECT p.",
        "the newest message of each conversation, and a page of each",
    ),
    (
        "sort",
        "FROM thread_follow f JOIN thread t",
        "the threads that a user follows",
    ),
    (
        "sort",
        r#"FROM "conversation" INNER JOIN "participant""#,
        "the conversations of a user",
    ),
    (
        "sort",
        "ORDER BY p.user_id LIMIT",
        "the people of one conversation, a few hundred at a time",
    ),
];

/// Planning again for each bound LIMIT takes longer than the query. With these build options SQLite keeps the plan.
#[tokio::test]
async fn sqlite_keeps_its_plans() {
    let app = TestApp::sqlite().await;
    let options = Statement::from_string(
        DbBackend::Sqlite,
        "SELECT compile_options FROM pragma_compile_options",
    );
    let options = app.app.db.read().query_all_raw(options).await.unwrap();
    let options: Vec<String> = options
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect();
    assert!(
        options.iter().any(|option| option == "ENABLE_QPSG"),
        "{options:?}"
    );
}

/// The plans below do not use statistics, which may be outdated: with statistics of one conversation, a list of three
/// of four thousand conversations read all of them.
#[tokio::test]
async fn sqlite_keeps_no_statistics() {
    let app = TestApp::sqlite().await;
    day::statements(&app).await;
    app.app.db.clone().close().await.unwrap();
    let db = Db::connect(&app.app.config.database_url).await.unwrap();
    let text = "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'";
    let count = Statement::from_string(DbBackend::Sqlite, text);
    let row = db.read().query_one_raw(count).await.unwrap();
    let count: i64 = row.unwrap().try_get_by_index(0).unwrap();
    assert_eq!(count, 0);
}

/// These plans are generic: they do not depend on the values. With values, PostgreSQL expects few rows of a list that
/// is not in its statistics, and sorted all ten thousand replies of a new thread for each first page.
#[tokio::test]
async fn postgres_plans_without_values() {
    assert_eq!(setting("plan_cache_mode").await, "force_generic_plan");
}

/// A plan is kept until the statistics change. One that was made while a table had few rows read the whole table after it
/// had grown.
#[tokio::test]
async fn postgres_plans_without_scans() {
    assert_eq!(setting("enable_seqscan").await, "off");
}

async fn setting(name: &str) -> String {
    let app = TestApp::postgres().await;
    let show = Statement::from_string(DbBackend::Postgres, format!("SHOW {name}"));
    let row = app.app.db.read().query_one_raw(show).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn sqlite() {
    let app = TestApp::sqlite().await;
    let (mut plans, mut scans) = (String::new(), Scans::allowed(&SQLITE_SCANS));
    for (text, statement) in distinct(day::statements(&app).await) {
        // It has no plan.
        if statement.starts_with("PRAGMA") {
            continue;
        }
        let plan = sqlite_plan(&app.app.db, &statement).await;
        let steps = plan
            .lines()
            .filter_map(|line| line.trim().strip_prefix("SCAN "));
        for what in steps.filter_map(|step| step.split(' ').next()) {
            scans.meet(what, &text);
        }
        writeln!(plans, "{text}\n{plan}").unwrap();
    }
    scans.judge();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("plans_of_sqlite", plans);
    });
}

#[tokio::test]
async fn postgres() {
    let app = TestApp::postgres().await;
    let (statements, types) = statements(&app).await;
    let db = &app.app.db;
    grow(db).await;
    let mut scans = Scans::allowed(&POSTGRES_SCANS);
    for (text, statement) in statements {
        match postgres_plan(db, &statement, types.get(&statement)).await {
            Ok(plan) => {
                for what in scanned(&plan) {
                    scans.meet(&what, &text);
                }
                let is_log = text.contains("pg_visible_in_snapshot");
                if is_log && plan.to_string().contains(WHOLE_LOG) {
                    scans.meet(WHOLE_LOG, &text);
                }
            }
            Err(error) => scans.meet(&error.to_string(), &text),
        }
    }
    scans.judge();
}

/// The cost of a page does not depend on the length of the list: no plan sorts a list for a few of its rows, even if
/// PostgreSQL's statistics say that lists are short on average.
#[tokio::test]
async fn postgres_sorts_no_list_for_a_page_of_it() {
    let app = TestApp::postgres().await;
    let (statements, types) = statements(&app).await;
    let db = &app.app.db;
    for text in ["ANALYZE", MUCH] {
        db.migrate().execute_unprepared(text).await.unwrap();
    }
    let mut sorts = Scans::allowed(&POSTGRES_SORTS);
    for (text, statement) in statements {
        let plan = postgres_plan(db, &statement, types.get(&statement)).await;
        if sorts_for_a_few(&plan.unwrap()) {
            sorts.meet("sort", &text);
        }
    }
    sorts.judge();
}

/// Returns the scans.
struct Scans {
    allowed: &'static [Allowed],
    met: BTreeSet<&'static str>,
    wrong: String,
}

impl Scans {
    fn allowed(allowed: &'static [Allowed]) -> Self {
        Self {
            allowed,
            met: BTreeSet::new(),
            wrong: String::new(),
        }
    }

    fn meet(&mut self, what: &str, text: &str) {
        let is_allowed = |(known, within, _): &&Allowed| *known == what && text.contains(within);
        match self.allowed.iter().find(is_allowed) {
            Some((known, _, _)) => drop(self.met.insert(known)),
            None => writeln!(self.wrong, "{what}: {text}").unwrap(),
        }
    }

    fn judge(self) {
        let is_unmet = |(known, _, _): &&Allowed| !self.met.contains(known);
        let unmet: Vec<_> = self.allowed.iter().filter(is_unmet).collect();
        let wrong = self.wrong;
        assert!(
            wrong.is_empty(),
            "read from end to end:\n{wrong}\nnever: {unmet:?}"
        );
        assert!(unmet.is_empty(), "allowed and never met: {unmet:?}");
    }
}

/// Returns the statements of a day, one of each shape, and the types of their parameters. The types are read first: while this
/// test compares shapes, its only thread runs nothing else, so that pings time out and the pool closes connections.
async fn statements(app: &TestApp) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let all = day::statements(app).await;
    let types = types(&app.app.db).await;
    (distinct(all), types)
}

/// Returns the shortest statement of each shape, by shape.
fn distinct(statements: Vec<String>) -> BTreeMap<String, String> {
    let mut shapes = BTreeMap::<String, String>::new();
    for statement in statements {
        let shape = shape(&statement);
        let known = shapes.entry(shape).or_insert_with(|| statement.clone());
        if statement.len() < known.len() {
            *known = statement;
        }
    }
    assert!(
        shapes.len() > 50,
        "the statements are captured: {shapes:#?}"
    );
    shapes
}

/// Returns the statement without the number of its parameters, which differs between calls.
fn shape(statement: &str) -> String {
    let text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = text;
    for (what, instead) in [
        (r"\$\d+", "?"),
        (r"\?(, \?)+", "?, …"),
        (r"(\(\?, …\)(, )?)+", "(?, …)"),
        (r#"("\w+"\."\w+", )+"#, "…, "),
    ] {
        let what = Regex::new(what).unwrap();
        text = what.replace_all(&text, instead).into_owned();
    }
    let mut lists: Vec<_> = text.split(" UNION ALL ").collect();
    lists.dedup();
    lists.join(" UNION ALL ")
}

/// Returns the plan of SQLite: one step per line, with its substeps indented below it.
async fn sqlite_plan(db: &Db, statement: &str) -> String {
    let explain =
        Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {statement}"));
    let subquery = Regex::new(r"\(subquery-\d+\)").unwrap();
    let mut depths = BTreeMap::from([(0_i64, 0)]);
    let mut plan = String::new();
    for row in db.read().query_all_raw(explain).await.unwrap() {
        let id: i64 = row.try_get_by_index(0).unwrap();
        let parent: i64 = row.try_get_by_index(1).unwrap();
        let step: String = row.try_get_by_index(3).unwrap();
        let depth = depths[&parent] + 1;
        depths.insert(id, depth);
        // The number of a subquery has no meaning, and changes with every other part.
        let step = subquery.replace_all(&step, "(subquery)");
        writeln!(plan, "{}{step}", "  ".repeat(depth)).unwrap();
    }
    plan
}

/// Returns the parameter types of prepared statements, as far as the pool still has them.
async fn types(db: &Db) -> BTreeMap<String, String> {
    let pool = db.read().pools()[0].get_postgres_connection_pool();
    let (mut taken, mut types) = (vec![], BTreeMap::new());
    for _ in 0..pool.options().get_max_connections() {
        let mut connection = pool.acquire().await.unwrap();
        let text =
            "SELECT statement, array_to_string(parameter_types, ', ') FROM pg_prepared_statements";
        let prepared = sqlx::query_as::<_, (String, String)>(text);
        types.extend(prepared.fetch_all(&mut *connection).await.unwrap());
        // All connections are acquired together, so that none is left out.
        taken.push(connection);
    }
    types
}

/// Makes PostgreSQL plan for large tables.
const MUCH: &str = "UPDATE pg_class SET reltuples = 100000, relpages = 1
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";

/// Makes PostgreSQL plan for large tables, and deletes its statistics: with few rows it would prefer a scan.
async fn grow(db: &Db) {
    for text in [
        MUCH,
        "DELETE FROM pg_statistic WHERE starelid IN (
            SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
    ] {
        db.migrate().execute_unprepared(text).await.unwrap();
    }
}

/// Returns the generic plan of PostgreSQL, without values.
async fn postgres_plan(db: &Db, statement: &str, types: Option<&String>) -> Result<Value, DbErr> {
    let tx = db.migrate().begin().await?;
    let types = types.filter(|types| !types.is_empty());
    let types = types.map(|types| format!("({types})")).unwrap_or_default();
    // The test verifies that it can avoid a scan, also one whose result is stored for a join.
    for way in ["seqscan", "hashjoin", "mergejoin", "material"] {
        let text = format!("SET LOCAL enable_{way} = off");
        tx.execute_unprepared(&text).await?;
    }
    let generic = "SET LOCAL plan_cache_mode = force_generic_plan";
    tx.execute_unprepared(generic).await?;
    let prepare = format!("PREPARE hot {types} AS {statement}");
    tx.execute_unprepared(&prepare).await?;
    let execute = |text: String| Statement::from_string(DbBackend::Postgres, text);
    let count =
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'hot'";
    let count = tx.query_one_raw(execute(count.to_owned())).await?.unwrap();
    let count: i32 = count.try_get_by_index(0)?;
    let values = vec!["NULL"; usize::try_from(count).unwrap()].join(", ");
    let values = if values.is_empty() {
        values
    } else {
        format!("({values})")
    };
    let explain = format!("EXPLAIN (COSTS OFF, FORMAT JSON) EXECUTE hot{values}");
    let plan = tx.query_one_raw(execute(explain)).await?.unwrap();
    // The statement outlives the transaction.
    tx.execute_unprepared("DEALLOCATE hot").await?;
    tx.rollback().await?;
    plan.try_get_by_index(0)
}

/// Returns every step of a plan.
fn steps(plan: &Value) -> Vec<&Map<String, Value>> {
    let mut steps = vec![];
    let mut waiting = vec![plan];
    while let Some(part) = waiting.pop() {
        match part {
            Value::Array(parts) => waiting.extend(parts),
            Value::Object(step) => {
                waiting.extend(step.values());
                steps.push(step);
            }
            _ => {}
        }
    }
    steps
}

fn is(kind: &Value, kinds: &[&str]) -> bool {
    kinds.contains(&kind.as_str().unwrap_or_default())
}

/// Returns the tables and indexes that a plan scans.
fn scanned(plan: &Value) -> Vec<String> {
    let is_whole = |step: &&Map<String, Value>| {
        let kind = step.get("Node Type").unwrap_or(&Value::Null);
        is(kind, &["Seq Scan"])
            || is(
                kind,
                &["Index Scan", "Index Only Scan", "Bitmap Index Scan"],
            ) && !step.contains_key("Index Cond")
    };
    let name = |step: &Map<String, Value>| {
        let name = step.get("Index Name").or(step.get("Relation Name"))?;
        name.as_str().map(ToOwned::to_owned)
    };
    steps(plan)
        .into_iter()
        .filter(is_whole)
        .filter_map(name)
        .collect()
}

/// Whether a plan sorts rows and then returns only the first of them.
fn sorts_for_a_few(plan: &Value) -> bool {
    steps(plan).into_iter().any(|step| {
        let is_limit = step
            .get("Node Type")
            .is_some_and(|kind| is(kind, &["Limit"]));
        let of = step.get("Plans").unwrap_or(&Value::Null);
        is_limit && is(&of[0]["Node Type"], &["Sort", "Incremental Sort"])
    })
}
