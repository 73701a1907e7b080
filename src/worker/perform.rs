//! Performs jobs: calls the function of each kind.

use chrono::{DateTime, Utc};

use super::cleanup;
use crate::{
    app::App,
    domain::{accounts, conversations, participants},
    entity::job,
    error::Error,
    jobs::Job,
};

/// Performs a job. Returns when it has to run again, if it is recurring.
pub(super) async fn perform(app: &App, job: &job::Model) -> Result<Option<DateTime<Utc>>, Error> {
    match serde_json::from_str(&job.payload).map_err(Error::internal)? {
        Job::EraseConversation { conversation } => {
            conversations::erase(app, conversation).await?;
            Ok(None)
        }
        Job::SortParticipant { user } => {
            participants::correct_order(app, user).await?;
            Ok(None)
        }
        Job::SendMail { mail, user } => {
            accounts::send_mail(app, mail, user).await?;
            Ok(None)
        }
        Job::SendInvitation { invitation } => {
            accounts::send_invitation(app, invitation).await?;
            Ok(None)
        }
        Job::Cleanup { table } => cleanup::run(app, table).await.map(Some),
    }
}
