//! Queued jobs run, also when the worker that runs them dies.

use chrono::TimeDelta;
use heddle::{
    db,
    entity::job::{self, JobStatus},
    id::JobId,
};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};

use crate::support::{app::TestApp, both, messaging::Messaging};

both!(
    a_job_whose_worker_died_is_done_by_another,
    a_job_that_fails_ten_times_keeps_its_error,
    old_events_are_swept_every_day,
);

/// A job that a worker did not finish.
async fn db_job(app: &TestApp, payload: &str, attempts: i32) -> JobId {
    let now = app.app.clock.now();
    let row = job::ActiveModel {
        id: Set(JobId::mint()),
        kind: Set("SortParticipant".to_owned()),
        payload: Set(payload.to_owned()),
        status: Set(JobStatus::Running),
        attempts: Set(attempts),
        last_error: Set(None),
        created_at: Set(now),
        run_at: Set(now),
        leased_until: Set(Some(now - TimeDelta::seconds(1))),
    };
    row.insert(app.app.db.migrate()).await.unwrap().id
}

async fn find(app: &TestApp, id: JobId) -> job::Model {
    let found = job::Entity::find_by_id(id).one(app.app.db.read()).await;
    found.unwrap().unwrap()
}

/// Returns the job after a worker has finished it.
async fn ended(app: &TestApp, id: JobId) -> job::Model {
    app.db_reaches("job WHERE status = 'RUNNING'", 0).await;
    find(app, id).await
}

async fn a_job_whose_worker_died_is_done_by_another(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let unsorted = "UPDATE participant SET sort_key = '9'";
    db::execute(app.app.db.migrate(), unsorted, [])
        .await
        .unwrap();
    let payload = format!(r#"{{"kind":"SortParticipant","user":"{}"}}"#, bob.id);
    let done = ended(&app, db_job(&app, &payload, 1).await).await;
    assert_eq!((done.status, done.attempts), (JobStatus::Succeeded, 2));
    let sorted = "participant WHERE sort_key <> '9'";
    assert_eq!(app.db_count(sorted).await, 1);
    // Running it again has no effect.
    ended(&app, db_job(&app, &payload, 1).await).await;
    assert_eq!(app.db_count(sorted).await, 1);
}

async fn a_job_that_fails_ten_times_keeps_its_error(app: TestApp) {
    let early = ended(&app, db_job(&app, "no work of ours", 3).await).await;
    assert_eq!((early.status, early.attempts), (JobStatus::Queued, 4));
    assert!(
        early.run_at > app.app.clock.now(),
        "it waits before the next try"
    );
    assert!(early.last_error.is_some());
    let last = ended(&app, db_job(&app, "no work of ours", 9).await).await;
    assert_eq!((last.status, last.attempts), (JobStatus::Failed, 10));
    assert!(last.last_error.is_some());
}

async fn old_events_are_swept_every_day(app: TestApp) {
    app.person("Ann").await;
    let (ann, bob) = (app.person("Cem").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    ann.says(&conversation, "Hello").await;
    assert!(app.db_count("event").await > 0);
    app.app.clock.advance(TimeDelta::days(8));
    app.db_reaches("event", 0).await;
    assert_eq!(app.db_count("message").await, 1, "only the log is swept");
}
