//! Opening direct conversations: found, or created once for each set of people.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, TryInsertResult};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        participants::{self, Joining},
        sessions::Viewer,
    },
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::ParticipantRole,
        user,
    },
    error::{Error, Problem},
    id::{ConversationId, UserId},
    live::log::{self, Change},
};

/// Most people in a direct conversation besides the one who opens it.
const OTHERS_MAX: usize = 8;

/// A direct conversation that was asked for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The conversation.
    pub conversation: conversation::Model,
    /// Whether it is new.
    pub was_created: bool,
}

/// The key of the direct conversation among exactly these people: unique, so that opening it from
/// both sides at once makes one.
#[must_use]
pub fn direct_key(people: &[UserId]) -> String {
    let mut people = people.to_vec();
    people.sort_unstable();
    people.dedup();
    let names: Vec<_> = people.iter().map(|id| id.0.simple().to_string()).collect();
    names.join("+")
}

/// Finds or creates the direct conversation between the viewer and these people. The viewer among
/// them, and anybody named twice, counts once.
pub async fn open_direct(core: &Core, viewer: &Viewer, others: &[UserId]) -> Result<Opened, Error> {
    let people = participants::people(&core.db, viewer, "userIds", others).await?;
    let others = people.iter().filter(|user| user.id != viewer.user).count();
    if !(1..=OTHERS_MAX).contains(&others) {
        return Err(Error::problems(vec![Problem::new(
            "userIds",
            if others == 0 { "TOO_FEW" } else { "TOO_MANY" },
            format!("Name 1 to {OTHERS_MAX} other people."),
        )]));
    }
    let ids: Vec<_> = people.iter().map(|user| user.id).collect();
    let key = &direct_key(&ids);
    if let Some(conversation) = with_key(core.db.read(), key).await? {
        return Ok(Opened {
            conversation,
            was_created: false,
        });
    }
    let people = &people;
    core.db
        .write(|tx| async move { open_in(&tx, core, viewer, key, people).await })
        .await
}

async fn open_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    key: &str,
    people: &[user::Model],
) -> Result<Opened, Error> {
    let at = core.clock.now();
    let id = ConversationId::mint();
    let row = conversation::ActiveModel {
        id: Set(id),
        kind: Set(ConversationKind::Direct),
        title: Set(None),
        title_key: Set(None),
        topic: Set(None),
        direct_key: Set(Some(key.to_owned())),
        history_visibility: Set(HistoryVisibility::FromStart),
        created_by: Set(Some(viewer.user)),
        last_seq: Set(0),
        last_root_seq: Set(0),
        root_count: Set(0),
        event_seq: Set(0),
        created_at: Set(at),
        last_activity_at: Set(at),
    };
    // Somebody else may be creating it right now: then this waits for them and inserts nothing.
    let inserted = conversation::Entity::insert(row)
        .on_conflict_do_nothing_on([conversation::Column::DirectKey])
        .exec_without_returning(tx)
        .await?;
    let was_created = matches!(inserted, TryInsertResult::Inserted(1));
    if was_created {
        let joining = Joining::at_the_start(ParticipantRole::Member, None, at);
        participants::insert_in(tx, id, people, &joining).await?;
        let ids: Vec<_> = people.iter().map(|user| user.id).collect();
        log::append_to_users(
            tx,
            &ids,
            at,
            &Change::ConversationJoined { conversation: id },
        )
        .await?;
    }
    let conversation = with_key(tx, key).await?;
    Ok(Opened {
        conversation: conversation.ok_or_else(|| Error::not_found("conversation"))?,
        was_created,
    })
}

async fn with_key<C: sea_orm::ConnectionTrait>(
    db: &C,
    key: &str,
) -> Result<Option<conversation::Model>, Error> {
    let found = conversation::Entity::find()
        .filter(conversation::Column::DirectKey.eq(key))
        .one(db)
        .await?;
    Ok(found)
}
