//! The actions that are limited, and their quotas.

use std::time::Duration;

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Sends a message.
    Send,
    /// Edits or deletes a message.
    ChangeMessage,
    /// Creates a group.
    CreateGroup,
    /// Adds a user to a group, when it is created or later.
    AddParticipant,
    /// Opens a direct conversation with a user with whom they share none.
    MessageStranger,
    /// Opens a stream of events.
    Subscribe,
    /// Renews an access token: the quota of a session.
    Refresh,
    /// Reports that they are typing, or sets their presence.
    ReportPresence,
    /// Changes their profile, which all their contacts are notified of.
    ChangeProfile,
    /// Blocks a user, or removes a block.
    Block,
    /// Invites a person to register.
    Invite,
    /// Searches by a text.
    Search,
    /// Runs operations and receives events. The unit is the cost of a document.
    Run,
    /// The same without a user: the quota of a network.
    RunAnonymously,
}

/// How often an action is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// After a pause.
    pub(super) burst: u32,
    /// In the long run.
    pub(super) per_minute: u32,
}

impl Quota {
    /// The time after which one more is allowed.
    pub(super) fn interval(self) -> Duration {
        Duration::from_mins(1) / self.per_minute.max(1)
    }
}

impl Action {
    /// The name in keys of Redis.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::ChangeMessage => "change",
            Self::CreateGroup => "group",
            Self::AddParticipant => "add",
            Self::MessageStranger => "stranger",
            Self::Subscribe => "subscribe",
            Self::Refresh => "refresh",
            Self::ReportPresence => "presence",
            Self::ChangeProfile => "profile",
            Self::Block => "block",
            Self::Invite => "invite",
            Self::Search => "search",
            Self::Run | Self::RunAnonymously => "run",
        }
    }

    /// The quota of each user. `messages` is the setting `messages_per_minute`.
    pub(super) fn quota(self, messages: u32) -> Quota {
        let (burst, per_minute) = match self {
            Self::Send | Self::ChangeMessage => (messages, messages),
            Self::CreateGroup => (20, 6),
            Self::AddParticipant => (500, 60),
            Self::MessageStranger | Self::Invite => (10, 18),
            // Every page of a user opens its streams again when the server restarts.
            Self::Subscribe => (300, 120),
            // Clients search while the user types.
            Self::Refresh | Self::Search | Self::Block => (30, 30),
            Self::ReportPresence => (60, 60),
            Self::ChangeProfile => (10, 6),
            Self::Run => (100_000, 100_000),
            Self::RunAnonymously => (20_000, 20_000),
        };
        Quota { burst, per_minute }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_the_quotas() {
        let page = include_str!("../../../docs/limits.md");
        let rows = [
            ("Send messages", Action::Send),
            ("Edit or delete messages", Action::ChangeMessage),
            ("Create groups", Action::CreateGroup),
            ("Add participants, each counts", Action::AddParticipant),
            (
                "Open a direct conversation with a user with whom no conversation is shared",
                Action::MessageStranger,
            ),
            ("Open streams of events", Action::Subscribe),
            ("Renew the access token of a session", Action::Refresh),
            ("Report typing, set the presence", Action::ReportPresence),
            ("Change the profile", Action::ChangeProfile),
            ("Block users and remove blocks", Action::Block),
            ("Invite people to register", Action::Invite),
            ("Search by a text", Action::Search),
            ("Cost of a user's operations and events", Action::Run),
            (
                "Cost of the operations of a network without a user",
                Action::RunAnonymously,
            ),
        ];
        for (text, action) in rows {
            let Quota { burst, per_minute } = action.quota(60);
            let row = format!("| {text} | {burst} | {per_minute} |");
            assert!(page.contains(&row), "{row}");
        }
    }
}
