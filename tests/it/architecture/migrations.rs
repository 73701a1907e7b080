//! Migrations go up, down and up again, with rows in the tables.

use heddle::domain::integrity;
use migration::{Migrator, MigratorTrait};

use crate::support::{app::TestApp, both, dump::dump, groups::Groups, messaging::Messaging};

/// The last migration that fills in counters.
const COUNTING: &str = "m0015_root_counts";

both!(
    every_step_can_be_taken_back,
    a_step_made_late_counts_what_is_there
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
    let all = Migrator::migrations();
    let counting = all.iter().position(|step| step.name() == COUNTING);
    let steps = u32::try_from(all.len() - counting.unwrap()).unwrap();
    let db = app.app.db.migrate();
    Migrator::down(db, Some(steps)).await.unwrap();
    Migrator::up(db, None).await.unwrap();
    let wrong = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(wrong, integrity::Wrong::default());
}
