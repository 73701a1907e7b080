//! Failed background jobs are reported and repeated.

use heddle::{
    entity::job::{self, JobStatus},
    id::{ConversationId, JobId},
};
use sea_orm::{ActiveModelTrait, Set};

use super::{Machine, on_both};

on_both!(failed_jobs_are_reported_and_repeated);

async fn failed_jobs_are_reported_and_repeated(machine: Machine) {
    machine.runs(&["migrate", "up"]);
    assert!(machine.runs(&["doctor"]).contains("jobs: none has failed"));
    assert_eq!(machine.runs(&["admin", "jobs"]), "no job has failed\n");
    let db = machine.db().await;
    let now = chrono::DateTime::UNIX_EPOCH;
    let mut ids = vec![];
    for status in [JobStatus::Failed, JobStatus::Failed, JobStatus::Succeeded] {
        let conversation = ConversationId::mint();
        let payload = format!(r#"{{"kind":"EraseConversation","conversation":"{conversation}"}}"#);
        let row = job::ActiveModel {
            id: Set(JobId::mint()),
            kind: Set("EraseConversation".to_owned()),
            payload: Set(payload),
            status: Set(status),
            attempts: Set(10),
            last_error: Set(Some("the disk\nis full".to_owned())),
            created_at: Set(now),
            run_at: Set(now),
            leased_until: Set(None),
        };
        ids.push(row.insert(db.migrate()).await.unwrap().id.to_string());
    }
    db.close().await.unwrap();
    let printed = machine.fails(1, &["doctor"]);
    assert!(
        printed.contains("jobs: failed: 2 EraseConversation"),
        "{printed}"
    );
    let listed = machine.runs(&["admin", "jobs"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for id in &ids[..2] {
        let line = format!("{id}  1970-01-01 00:00  EraseConversation  the disk is full");
        assert!(listed.contains(&line), "{listed}");
    }
    // A job to repeat is named, or all of them are.
    machine.fails(2, &["admin", "retry-jobs"]);
    let printed = machine.fails(1, &["admin", "retry-jobs", &ids[0], &ids[2]]);
    assert!(printed.contains("1 of 2 jobs were queued"), "{printed}");
    let printed = machine.runs(&["admin", "retry-jobs", "--all"]);
    assert_eq!(printed, "1 jobs were queued\n");
    assert!(machine.runs(&["doctor"]).contains("jobs: none has failed"));
    let queued = "SELECT COUNT(*) FROM job WHERE status = 'QUEUED' AND attempts = 0";
    assert_eq!(machine.db_number(queued).await, 2);
}
