//! Migrations go up, down and up again, with rows in the tables.

use heddle::{domain::integrity, entity::user};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement};
use serde_json::json;

use crate::support::{app::TestApp, both, dump::dump, groups::Groups, messaging::Messaging};

/// The last migration that fills in counters.
const COUNTING: &str = "m0015_root_counts";
/// The migration that computes the forms in which names and addresses are compared.
const COMPARING: &str = "m0022_caseless_keys";
/// The migration that deletes the notifications of plain messages.
const DERIVING: &str = "m0027_plain_notifications";

both!(
    every_step_can_be_taken_back,
    a_step_made_late_counts_what_is_there,
    a_step_made_late_compares_what_is_there,
    deleted_notifications_leave_no_space,
);

async fn every_step_can_be_taken_back(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "hello @bob").await;
    ann.edits(&root, "hello again @bob").await;
    bob.replies(&conversation, &root, "canary").await;
    assert!(dump(&app.app.db).await.contains("canary"));
    let steps = Migrator::migrations().len();
    let db = app.app.db.migrate();
    // First one migration at a time, as an operator reverts a release, and then all of them.
    for taken in 1..=steps {
        Migrator::down(db, Some(1)).await.unwrap();
        let left = Migrator::get_applied_migrations(db).await.unwrap().len();
        assert_eq!(left, steps - taken);
    }
    Migrator::up(db, None).await.unwrap();
    assert!(
        Migrator::get_pending_migrations(db)
            .await
            .unwrap()
            .is_empty()
    );
    // The tables are empty again: the same users can sign up and send messages.
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    ann.says(&conversation, "hello").await;
}

async fn a_step_made_late_counts_what_is_there(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (conversation, group) = (
        ann.direct(&bob).await,
        ann.creates_group(Some("Plans"), &[&bob]).await,
    );
    for place in [&conversation, &group] {
        let root = ann.says(place, "one").await;
        ann.replies(place, &root, "below one").await;
        let gone = ann.says(place, "two").await;
        ann.deletes(&gone).await;
        ann.says(place, "three").await;
    }
    let db = app.app.db.migrate();
    Migrator::down(db, Some(steps_since(COUNTING)))
        .await
        .unwrap();
    Migrator::up(db, None).await.unwrap();
    let wrong = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(wrong, integrity::Wrong::default());
}

async fn deleted_notifications_leave_no_space(app: TestApp) {
    app.person("Ann").await;
    let db = app.app.db.migrate();
    let (random, pages) = match db.get_database_backend() {
        DbBackend::Postgres => (
            "gen_random_uuid()",
            "SELECT pg_total_relation_size('notification') AS size",
        ),
        _ => (
            "randomblob(16)",
            "SELECT page_count AS size FROM pragma_page_count",
        ),
    };
    let size = || async {
        let query = Statement::from_string(db.get_database_backend(), pages);
        let row = db.query_one_raw(query).await.unwrap().unwrap();
        row.try_get::<i64>("", "size").unwrap()
    };
    let before = size().await;
    Migrator::down(db, Some(steps_since(DERIVING)))
        .await
        .unwrap();
    let insert = format!(
        r#"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 50000)
         INSERT INTO notification (id, user_id, kind, created_at)
         SELECT {random}, u.id, 'MESSAGE', u.created_at FROM numbers CROSS JOIN "user" u"#
    );
    db.execute_unprepared(&insert).await.unwrap();
    assert!(size().await > 5 * before);
    Migrator::up(db, None).await.unwrap();
    assert!(size().await < 2 * before);
}

/// The number of migrations from this one on.
fn steps_since(name: &str) -> u32 {
    let all = Migrator::migrations();
    let at = all.iter().position(|step| step.name() == name);
    u32::try_from(all.len() - at.unwrap()).unwrap()
}

async fn a_step_made_late_compares_what_is_there(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("İstanbul Straße"), &[&bob]).await;
    let db = app.app.db.migrate();
    Migrator::down(db, Some(steps_since(COMPARING)))
        .await
        .unwrap();
    // As former versions stored them: both addresses are the same, and the first one keeps it.
    for statement in [
        "UPDATE conversation SET title_key = 'old'",
        r#"UPDATE "user" SET display_name = 'İbrahim', display_name_key = 'old',
            email = 'ann@bücher.example', email_key = 'ann@bücher.example' WHERE username = 'ann'"#,
        r#"UPDATE "user" SET email = 'ann@xn--bcher-kva.example',
            email_key = 'ann@xn--bcher-kva.example' WHERE username = 'bob'"#,
        r#"UPDATE "user" SET display_name = 'ΟΔΟΣ' WHERE username = 'bob'"#,
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    Migrator::up(db, None).await.unwrap();
    let keys = |name: &'static str| async move {
        let found = user::Entity::find().filter(user::Column::Username.eq(name));
        let found = found.one(db).await.unwrap().unwrap();
        (found.display_name_key, found.email_key.unwrap())
    };
    let first = ("ibrahim".to_owned(), "ann@bücher.example".to_owned());
    assert_eq!(keys("ann").await, first);
    let second = ("οδοσ".to_owned(), "ann@xn--bcher-kva.example".to_owned());
    assert_eq!(keys("bob").await, second);
    let search = "query($text: String) { viewer { conversations(filter: { text: $text }) {
        nodes { id } } } }";
    for text in ["istanbul strasse", "ISTANBUL"] {
        let data = ann.execute(search, json!({ "text": text })).await;
        let found = &data["viewer"]["conversations"]["nodes"];
        assert_eq!(*found, json!([{ "id": group }]));
    }
}
