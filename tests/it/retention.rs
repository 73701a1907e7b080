//! No table grows without bound: old rows are deleted, and so are those that are too many for their owner.

use std::time::Duration;

use chrono::TimeDelta;
use heddle::{
    domain::sessions::{self, Device},
    entity::{
        job::{self, JobStatus},
        message_revision,
        notification::{self, NotificationType},
        user,
    },
    id::{JobId, MessageId, NotificationId, RevisionId, UserId},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};

use crate::support::{app::TestApp, both, groups::Groups, messaging::Messaging, person::Person};

both!(
    one_session_too_many_ends_the_least_used_one,
    old_sessions_are_deleted,
    old_notifications_are_deleted,
    the_oldest_of_too_many_notifications_are_deleted,
    failed_sign_ins_are_forgotten,
    finished_jobs_are_deleted_before_failed_ones,
    a_message_is_edited_five_hundred_times,
);

/// Signs in, without the cost of a password.
async fn db_sign_ins(app: &TestApp, person: &Person, count: usize) {
    let rows = user::Entity::find_by_id(UserId::from_text(&person.id));
    let user = &rows.one(app.app.db.read()).await.unwrap().unwrap();
    let (core, device) = (&app.app, &Device::default());
    for _ in 0..count {
        core.db
            .write(|tx| async move { sessions::start_in(&tx, core, user, device).await })
            .await
            .unwrap();
    }
}

/// Waits until every table has been cleaned at this time.
async fn db_cleaned(app: &TestApp) {
    let due = job::Entity::find()
        .filter(job::Column::Kind.eq("Cleanup"))
        .filter(job::Column::RunAt.lte(app.app.clock.now()));
    let cleaned = async { while due.clone().one(app.app.db.read()).await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), cleaned)
        .await
        .unwrap();
}

async fn one_session_too_many_ends_the_least_used_one(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut newer = ann.clone();
    app.app.clock.advance(TimeDelta::minutes(2));
    newer.signs_in().await;
    app.app.clock.advance(TimeDelta::minutes(2));
    db_sign_ins(&app, &ann, 98).await;
    let viewer = "{ viewer { user { id } } }";
    assert!(!ann.execute(viewer, Value::Null).await["viewer"].is_null());
    // The request above is a later use than the sign-in of the other.
    app.db_reaches("session WHERE last_used_at > created_at", 1)
        .await;
    db_sign_ins(&app, &ann, 1).await;
    assert!(newer.execute(viewer, Value::Null).await["viewer"].is_null());
    assert!(!ann.execute(viewer, Value::Null).await["viewer"].is_null());
    assert_eq!(app.db_count("session WHERE ended_at IS NULL").await, 100);
}

async fn old_sessions_are_deleted(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    db_sign_ins(&app, &ann, 250).await;
    assert_eq!(
        app.db_count("session WHERE ended_at IS NOT NULL").await,
        151
    );
    app.app.clock.advance(TimeDelta::hours(2));
    app.db_reaches("session WHERE ended_at IS NOT NULL", 100)
        .await;
    db_sign_ins(&app, &bob, 1).await;
    app.app.clock.advance(TimeDelta::days(59));
    db_cleaned(&app).await;
    assert_eq!(app.db_count("session").await, 102);
    app.app.clock.advance(TimeDelta::days(2));
    app.db_reaches("session", 0).await;
}

async fn old_notifications_are_deleted(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(None, &[&bob]).await;
    ann.says(&group, "Hello @bob").await;
    app.app.clock.advance(TimeDelta::days(179));
    db_cleaned(&app).await;
    assert_eq!(app.db_count("notification").await, 2);
    app.app.clock.advance(TimeDelta::days(2));
    app.db_reaches("notification", 0).await;
    // Clients remove them from their lists.
    app.db_reaches("event WHERE kind = 'NotificationsChanged'", 1)
        .await;
}

async fn the_oldest_of_too_many_notifications_are_deleted(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(None, &[&bob]).await;
    ann.says(&group, "Hello @bob").await;
    let (user, now) = (UserId::from_text(&bob.id), app.app.clock.now());
    for chunk in 0..20 {
        let rows = (0..500).map(|index| notification::ActiveModel {
            id: Set(NotificationId::mint()),
            user_id: Set(user),
            kind: Set(NotificationType::RoleChanged),
            actor_id: Set(None),
            message_id: Set(None),
            conversation_id: Set(None),
            created_at: Set(now + TimeDelta::milliseconds(chunk * 500 + index)),
            read_at: Set(None),
        });
        notification::Entity::insert_many(rows)
            .exec_without_returning(app.app.db.migrate())
            .await
            .unwrap();
    }
    assert_eq!(app.db_count("notification").await, 10_002);
    app.app.clock.advance(TimeDelta::hours(2));
    app.db_reaches("notification", 10_000).await;
    assert_eq!(
        app.db_count("notification WHERE message_id IS NOT NULL")
            .await,
        0
    );
}

async fn failed_sign_ins_are_forgotten(app: TestApp) {
    let input = json!({ "login": "zoe", "password": "not the password" });
    let sign_in = "mutation($input: SignInInput!) { signIn(input: $input) {
        auth { accessToken } } }";
    let anonymous = app.anonymous();
    anonymous
        .expect_error("WRONG_CREDENTIALS", sign_in, json!({ "input": input }))
        .await;
    assert_eq!(app.db_count("sign_in_attempt").await, 1);
    app.app.clock.advance(TimeDelta::days(31));
    app.db_reaches("sign_in_attempt", 0).await;
}

async fn finished_jobs_are_deleted_before_failed_ones(app: TestApp) {
    let now = app.app.clock.now();
    for status in [JobStatus::Succeeded, JobStatus::Failed] {
        let row = job::ActiveModel {
            id: Set(JobId::mint()),
            kind: Set("SortParticipant".to_owned()),
            payload: Set("{}".to_owned()),
            status: Set(status),
            attempts: Set(1),
            last_error: Set(None),
            created_at: Set(now),
            run_at: Set(now),
            leased_until: Set(None),
        };
        row.insert(app.app.db.migrate()).await.unwrap();
    }
    let jobs = "job WHERE kind <> 'Cleanup'";
    app.app.clock.advance(TimeDelta::hours(26));
    app.db_reaches(jobs, 1).await;
    app.app.clock.advance(TimeDelta::days(91));
    app.db_reaches(jobs, 0).await;
}

async fn a_message_is_edited_five_hundred_times(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let message = ann.says(&group, "first").await;
    let rows = (1..=499).map(|number| message_revision::ActiveModel {
        id: Set(RevisionId::mint()),
        message_id: Set(MessageId::from_text(&message)),
        number: Set(number),
        body: Set("earlier".to_owned()),
        reason: Set(None),
        editor_id: Set(None),
        replaced_at: Set(app.app.clock.now()),
    });
    message_revision::Entity::insert_many(rows)
        .exec_without_returning(app.app.db.migrate())
        .await
        .unwrap();
    ann.edits(&message, "last").await;
    let edit = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
        message { id } } }";
    let input = json!({ "messageId": message, "body": "one more" });
    ann.expect_error("LIMIT_REACHED", edit, json!({ "input": input }))
        .await;
    let body = "query($id: ID!) { message(id: $id) { body } }";
    let seen = ann.execute(body, json!({ "id": message })).await;
    assert_eq!(seen["message"]["body"], "last");
}
