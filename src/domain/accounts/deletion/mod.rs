//! Deleting one's account: everything sent, direct conversations whole, notifications, and the edits
//! one made, in one transaction. What others wrote stays.

mod messages;
mod preview;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, Value,
};

use super::sign_in;
use crate::{
    core::Core,
    db::{self, Tx},
    domain::{
        conversations,
        sessions::{self, Viewer, Which},
        users,
    },
    entity::{
        conversation::ConversationKind, message_revision, participant::ParticipantRole,
        session::SessionEndReason, user,
    },
    error::{Error, Problem},
    id::{ConversationId, UserId},
    live::log::{self, Change, Stream},
};

pub use preview::{DeletionPreview, deletion_preview};

/// What becomes of the messages that someone who goes sent in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// They are deleted, with their history.
    Delete,
    /// They stay, without a sender.
    Anonymize,
}

/// The confirmation of a deletion.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// The person's own username, typed out.
    pub confirm_username: String,
    /// The present password; absent only when none is set.
    pub password: Option<String>,
    /// What becomes of messages in groups.
    pub messages: Disposal,
}

/// Deletes the viewer's account and data, at once.
pub async fn delete(core: &Core, viewer: &Viewer, farewell: &Farewell) -> Result<(), Error> {
    let user = users::own(core, viewer).await?;
    let mut problems = vec![];
    if users::key(farewell.confirm_username.trim()) != user.username_key {
        let message = "Type your own username to confirm.";
        problems.push(Problem::new("confirmUsername", "MISMATCH", message));
    }
    let password = farewell.password.as_deref();
    if user.password_hash.is_some() && password.is_none() {
        let message = "Give the present password.";
        problems.push(Problem::new("password", "REQUIRED", message));
    }
    Error::check(problems)?;
    if let Some(password) = password.filter(|_| user.password_hash.is_some()) {
        sign_in::prove(core, &user, password).await?;
    }
    let (user, disposal) = (&user, farewell.messages);
    core.db
        .write(|tx| async move { delete_in(&tx, user, disposal, core.clock.now()).await })
        .await
}

async fn delete_in(
    tx: &Tx,
    user: &user::Model,
    disposal: Disposal,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    // A person's whole history may take longer than one statement usually gets.
    tx.extend_timeout().await?;
    let places = lock_places_in(tx, user.id).await?;
    sign_in::proven_in(tx, user, None).await?;
    let (whole, shared): (Vec<_>, Vec<_>) = places.into_iter().partition(Place::goes_whole);
    refuse_abandoning(&shared)?;
    for place in &whole {
        conversations::delete_in(tx, place.id, at).await?;
    }
    for place in &shared {
        let mut changes = messages::dispose_in(tx, user.id, place.id, disposal, at).await?;
        if place.is_participant() {
            changes.push(Change::ParticipantChanged {
                conversation: place.id,
                user: user.id,
            });
            changes.push(Change::ConversationChanged {
                conversation: place.id,
            });
        }
        log::append(tx, Stream::Conversation(place.id), at, &changes).await?;
    }
    if disposal == Disposal::Delete {
        // Edits of what others sent.
        message_revision::Entity::delete_many()
            .filter(message_revision::Column::EditorId.eq(user.id))
            .exec(tx)
            .await?;
    }
    let reason = SessionEndReason::AccountDeleted;
    sessions::end_in(tx, user.id, Which::All, reason, at).await?;
    // Everything else that is theirs goes with the row; what outlives them loses its name.
    user::Entity::delete_by_id(user.id).exec(tx).await?;
    Ok(())
}

/// A conversation where the person takes part, or sent something before they left.
#[derive(Debug, FromQueryResult)]
struct Place {
    id: ConversationId,
    kind: ConversationKind,
    role: Option<ParticipantRole>,
    others: i64,
    other_owners: i64,
}

impl Place {
    fn is_participant(&self) -> bool {
        self.role.is_some()
    }

    /// Whether nothing of it is left without them.
    fn goes_whole(&self) -> bool {
        self.is_participant() && (self.kind == ConversationKind::Direct || self.others == 0)
    }

    /// Whether nobody could manage it without them.
    fn is_owned_alone(&self) -> bool {
        self.kind == ConversationKind::Group
            && self.role == Some(ParticipantRole::Owner)
            && self.other_owners == 0
    }
}

/// Selects the conversations of a user with the counts that decide what becomes of them. SQL, because both counts are
/// correlated subqueries. Binds the user five times.
const PLACES: &str = "SELECT c.id, c.kind, own.role,
        (SELECT COUNT(*) FROM participant o
            WHERE o.conversation_id = c.id AND o.user_id <> ?) AS others,
        (SELECT COUNT(*) FROM participant o
            WHERE o.conversation_id = c.id AND o.user_id <> ? AND o.role = 'OWNER') AS other_owners
    FROM conversation c
    LEFT JOIN participant own ON own.conversation_id = c.id AND own.user_id = ?
    WHERE c.id IN (SELECT conversation_id FROM participant WHERE user_id = ?)
       OR c.id IN (SELECT conversation_id FROM message WHERE sender_id = ?)
    ORDER BY c.id";

/// The person's places, locked in the order in which everybody locks them.
async fn lock_places_in(tx: &Tx, user: UserId) -> Result<Vec<Place>, Error> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // SQL, because only the locks matter: the rows stay in the database.
        let text = "SELECT id FROM conversation
            WHERE id IN (SELECT conversation_id FROM participant WHERE user_id = ?)
               OR id IN (SELECT conversation_id FROM message WHERE sender_id = ?)
            ORDER BY id FOR UPDATE";
        db::execute(tx, text, [user.into(), user.into()]).await?;
    }
    places(tx, user).await
}

async fn places<C: ConnectionTrait>(db: &C, user: UserId) -> Result<Vec<Place>, Error> {
    db::fetch_all(db, PLACES, vec![Value::from(user); 5]).await
}

fn refuse_abandoning(places: &[Place]) -> Result<(), Error> {
    let abandoned = places.iter().filter(|place| place.is_owned_alone()).count();
    if abandoned == 0 {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "You alone own {abandoned} of your groups. Hand each over to somebody first.",
    )))
}
