//! Migrations go up, down and up again, with rows in the tables.

use migration::{Migrator, MigratorTrait};

use crate::support::{app::TestApp, both, dump::dump, talk::Talk};

both!(every_step_can_be_taken_back);

async fn every_step_can_be_taken_back(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let root = ann.says(&talk, "hello @bob").await;
    ann.edits(&root, "hello again @bob").await;
    bob.answers(&talk, &root, "canary").await;
    assert!(dump(&app.app.db).await.contains("canary"));
    let steps = Migrator::migrations().len();
    let db = app.app.db.migrate();
    // One step at a time, as an operator takes back a release; and all of them.
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
    // The tables are as good as new: the same people can sign up and talk again.
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    ann.says(&talk, "hello").await;
}
