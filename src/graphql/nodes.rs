//! The `Node` interface, and the queries that find any object by its id.
#![expect(
    missing_docs,
    reason = "the interface's derive makes public methods that cannot carry docs"
)]

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::{
    error::{Error, Problem},
    graphql::{
        accounts::{preferences::Preferences, types::Viewer},
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
    id::{AnyId, ParticipantId, ServerId},
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
}

/// The queries that take any id.
#[derive(Default, Debug)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by id.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Node>> {
        nullable(async {
            viewer(ctx)?;
            find(ctx, &id).await
        })
        .await
    }

    /// Many objects by id, in the order of the ids; null where one is missing. At most 100 ids.
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>> {
        viewer(ctx)?;
        if ids.len() > MAX_IDS {
            let problem = Problem {
                path: vec!["ids".to_owned()],
                code: "TOO_MANY",
                message: format!("At most {MAX_IDS} ids are allowed."),
            };
            return Err(Error::problems(vec![problem]).into());
        }
        try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let loaders = loaders(ctx);
    let Some(id) = AnyId::from_text(id) else {
        return Ok(None);
    };
    Ok(match id {
        AnyId::UserId(id) => loaders.load_one(UserKey(id)).await?.map(Node::User),
        AnyId::ConversationId(id) => loaders
            .load_one(ConversationKey(id))
            .await?
            .map(Node::Conversation),
        AnyId::ParticipantId(id) => loaders
            .load_one(ParticipantKey(id))
            .await?
            .map(|row| Node::Participant(Participant(row))),
        AnyId::MembershipId(id) => membership(ctx, ParticipantId(id.0)).await?,
        AnyId::MessageId(id) => loaders.load_one(MessageKey(id)).await?.map(Node::Message),
        AnyId::RevisionId(id) => loaders
            .load_one(RevisionKey(id))
            .await?
            .map(Node::MessageRevision),
        AnyId::ThreadId(id) => loaders.load_one(ThreadKey(id)).await?.map(Node::Thread),
        AnyId::SessionId(id) => loaders.load_one(SessionKey(id)).await?.map(Node::Session),
        AnyId::ViewerId(id) => viewer_with(ctx, id.0)?.map(Node::Viewer),
        AnyId::PreferencesId(id) => match viewer_with(ctx, id.0)? {
            Some(viewer) => Some(Node::Preferences(viewer.preferences(ctx).await?)),
            None => None,
        },
        AnyId::ServerId(ServerId(id)) if id.is_nil() => Some(Node::Server(Server::of(app(ctx)))),
        AnyId::NotificationId(id) => loaders
            .load_one(NotificationKey(id))
            .await?
            .map(Node::Notification),
        AnyId::UnreadTotalsId(id) if id.0 == viewer(ctx)?.user.0 => {
            let totals = UnreadTotals::load(ctx, viewer(ctx)?).await?;
            Some(Node::UnreadTotals(totals))
        }
        _ => None,
    })
}

/// The viewer, when the id is theirs.
fn viewer_with(ctx: &Context<'_>, id: Uuid) -> Result<Option<Viewer>> {
    let viewer = viewer(ctx)?;
    Ok((viewer.user.0 == id).then(|| Viewer(viewer.clone())))
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
