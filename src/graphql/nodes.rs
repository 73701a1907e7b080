//! The `Node` interface, and the queries that find any object by its id.
#![expect(
    missing_docs,
    reason = "the interface's derive makes public methods that cannot carry docs"
)]

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join_all;

use crate::{
    error::{Error, Problem},
    graphql::{
        accounts::{preferences::Preferences, types::Viewer},
        admin::{
            accounts::{self, Account},
            audit_log::{self, AuditEntry},
            invitations::{self, Invitation},
            types::Admin,
        },
        context::{app, loaders, viewer},
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{Result, nullable},
        messages::{
            loader::{MessageKey, RevisionKey},
            types::{Message, MessageRevision},
        },
        notifications::{loader::NotificationKey, types::Notification},
        participants::{
            loader::ParticipantKey,
            types::{Membership, Participant},
        },
        reads::types::UnreadTotals,
        server::types::Server,
        sessions::{loader::SessionKey, types::Session},
        threads::{loader::ThreadKey, types::Thread},
        users::{loader::UserKey, types::User},
    },
    id::{AdminId, AnyId, ParticipantId, ServerId, UserId},
};

/// The largest number of ids in one field.
const MAX_IDS: usize = 100;

/// An object that can be fetched again by its id.
#[derive(Interface, Clone, Debug)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Globally unique, stable and opaque: a type prefix and a sortable suffix, e.g. msg_01jd3k…"
))]
pub enum Node {
    /// A user.
    User(User),
    /// A conversation.
    Conversation(Conversation),
    /// A participant of a conversation.
    Participant(Participant),
    /// The viewer's membership.
    Membership(Membership),
    /// A message.
    Message(Message),
    /// An earlier text of a message.
    MessageRevision(MessageRevision),
    /// A thread.
    Thread(Thread),
    /// The viewer's private data.
    Viewer(Viewer),
    /// The viewer's settings.
    Preferences(Preferences),
    /// One of the viewer's sessions.
    Session(Session),
    /// This server.
    Server(Server),
    /// A notification.
    Notification(Notification),
    /// The viewer's totals for badges.
    UnreadTotals(UnreadTotals),
    /// The administration area.
    Admin(Admin),
    /// An account, as administrators see it.
    Account(Account),
    /// An entry of the audit log.
    AuditEntry(AuditEntry),
    /// An invitation, as administrators see it.
    Invitation(Invitation),
}

/// The queries that take any id.
#[derive(Default, Debug)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by id.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Node>> {
        nullable(find(ctx, &id)).await
    }

    /// Many objects by id, in the order of the ids; null where one is missing. At most 100 ids. Null only when
    /// the whole field fails.
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Option<Result<Vec<Option<Node>>>> {
        nullable(async {
            viewer(ctx)?;
            if ids.len() > MAX_IDS {
                let message = format!("At most {MAX_IDS} ids are allowed.");
                let problem = Problem::argument("ids", "TOO_MANY", message);
                return Err(Error::problems(vec![problem]).into());
            }
            try_join_all(ids.iter().map(|id| find(ctx, id)))
                .await
                .map(Some)
        })
        .await
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let (loaders, viewer) = (loaders(ctx), viewer(ctx)?);
    let own = viewer.user.0;
    let Some(id) = AnyId::from_text(id) else {
        return Ok(None);
    };
    Ok(match id {
        AnyId::UserId(id) => loaders.load_one(UserKey(id)).await?.map(Node::User),
        AnyId::ConversationId(id) => {
            let found = loaders.load_one(ConversationKey(id)).await?;
            found.map(Node::Conversation)
        }
        AnyId::ParticipantId(id) => {
            let found = loaders.load_one(ParticipantKey(id)).await?;
            found.map(|row| Node::Participant(Participant(row)))
        }
        AnyId::MembershipId(id) => membership(ctx, ParticipantId(id.0)).await?,
        AnyId::MessageId(id) => loaders.load_one(MessageKey(id)).await?.map(Node::Message),
        AnyId::RevisionId(id) => {
            let found = loaders.load_one(RevisionKey(id)).await?;
            found.map(Node::MessageRevision)
        }
        AnyId::ThreadId(id) => loaders.load_one(ThreadKey(id)).await?.map(Node::Thread),
        AnyId::SessionId(id) => loaders.load_one(SessionKey(id)).await?.map(Node::Session),
        AnyId::NotificationId(id) => {
            let found = loaders.load_one(NotificationKey(id)).await?;
            found.map(Node::Notification)
        }
        AnyId::ServerId(ServerId(id)) if id.is_nil() => Some(Node::Server(Server::of(app(ctx)))),
        AnyId::AdminId(AdminId(id)) if id.is_nil() => Admin::of(viewer).map(Node::Admin),
        AnyId::AccountId(id) => {
            let found = accounts::account(ctx, viewer, UserId(id.0)).await?;
            found.map(Node::Account)
        }
        AnyId::InvitationId(id) => invitations::find(ctx, id).await?.map(Node::Invitation),
        AnyId::AuditEntryId(id) => audit_log::entry(ctx, id).await?.map(Node::AuditEntry),
        AnyId::ViewerId(id) if id.0 == own => Some(Node::Viewer(Viewer(viewer.clone()))),
        AnyId::PreferencesId(id) if id.0 == own => {
            let preferences = Viewer(viewer.clone()).preferences(ctx).await?;
            Some(Node::Preferences(preferences))
        }
        AnyId::UnreadTotalsId(id) if id.0 == own => {
            let totals = UnreadTotals::of(app(ctx), viewer).await?;
            Some(Node::UnreadTotals(totals))
        }
        _ => None,
    })
}

/// The viewer's membership. The participants of other users are no memberships.
async fn membership(ctx: &Context<'_>, id: ParticipantId) -> Result<Option<Node>> {
    let Some(participant) = loaders(ctx).load_one(ParticipantKey(id)).await? else {
        return Ok(None);
    };
    if participant.user_id != viewer(ctx)?.user {
        return Ok(None);
    }
    let conversation = loaders(ctx)
        .load_one(ConversationKey(participant.conversation_id))
        .await?;
    Ok(conversation.map(|Conversation(conversation)| {
        Node::Membership(Membership {
            participant,
            conversation,
        })
    }))
}
