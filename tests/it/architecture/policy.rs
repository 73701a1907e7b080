//! Who may see which field: one word for each field of each type. A field without its line here fails the
//! matrix, and so does a line without its field.

/// Who may see a field of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody, signed in or not.
    Anybody,
    /// Everybody with an account.
    SignedIn,
    /// People who share a conversation with the object's owner, as its owner wished here.
    Contacts,
    /// People in the conversation.
    Inside,
    /// The owner of an object that others see too: for them the field is null.
    Owner,
    /// Nobody but the owner knows that there is such an object.
    OwnerAlone,
    /// A root: its fields are doors, which are tried one by one.
    Door,
    /// A page: it holds nothing but what has lines of its own.
    Page,
    /// What a change answers to whoever was allowed to make it.
    Outcome,
    /// An event, told to whoever hears its stream.
    Event,
}

/// Type, who, fields.
pub(super) const POLICY: &[(&str, Who, &str)] = &[
    ("Query", Who::Door, "conversation eventCursor message node nodes server thread user users viewer"),
    ("Mutation", Who::Door, "addParticipants changeParticipantRole changePassword createConversation
        deleteAccount deleteConversation deleteMessage dismissNotifications editMessage followThread
        leaveConversation markConversationsRead markMessagesRead markNotificationsRead markThreadRead
        markUnreadFrom openDirectConversation refreshSession register removeParticipant
        revokeOtherSessions revokeSessions sendMessage setPresence setTyping signIn signOut
        unfollowThread
        updateConversation updateConversationSettings updatePreferences updateProfile"),
    ("Subscription", Who::Door, "events messageSent"),
    ("Server", Who::Anybody, "apiVersion errorCodes id limits name now signUpPolicy version"),
    ("ServerLimits", Who::Anybody, "deleteWindowSeconds editWindowSeconds eventReplaySeconds
        messageLength participantsPerConversation threadDepth"),
    ("ErrorCodeInfo", Who::Anybody, "code isRetryable meaning"),
    ("User", Who::SignedIn, "createdAt displayName id isVerified isViewer presence username viewerCanMessage
        viewerConversation"),
    ("User", Who::Contacts, "bio firstName lastActiveAt lastName statusText"),
    ("User", Who::Owner, "phoneNumber"),
    ("Conversation", Who::Inside, "createdAt createdBy displayTitle historyVisibility id kind
        lastActivityAt lastMessage messages participantCount participants threads title topic typing
        viewerMembership"),
    ("Participant", Who::Inside, "addedBy conversation id joinedAt lastReadMessage role user"),
    ("Message", Who::Inside, "body bodyHtml conversation createdAt deletableUntil deletedAt depth
        descendantCount editableUntil editedAt id kind mentions mentionsViewer notice parent priority
        receiver replies replyCount revisions sender sequence thread viewerCanDelete viewerCanEdit
        viewerCanReply viewerHasRead"),
    ("Message", Who::Owner, "clientMessageId"),
    ("MessageRevision", Who::Inside, "body bodyHtml editor id reason replacedAt"),
    ("Notice", Who::Inside, "actor subjects type value"),
    ("Thread", Who::Inside, "conversation id lastActivityAt lastReply participants replies replyCount
        root viewerFirstUnreadMessage viewerIsFollowing viewerLastReadMessage viewerUnreadCount"),
    ("Viewer", Who::OwnerAlone, "conversations deletionPreview email hasPassword id isEmailVerified
        notifications preferences role sessions threads unread unreadMessages user"),
    ("AccountDeletionPreview", Who::OwnerAlone, "directConversationCount directMessageCount
        groupMessageCount keptThreadCount notificationCount ownedGroupCount revisionCount"),
    ("Preferences", Who::OwnerAlone, "id isSearchable locale notificationLevel phoneVisibility
        profileVisibility sharesPresence sharesReadReceipts timeZone"),
    ("UnreadTotals", Who::OwnerAlone, "conversations id mentions messages notifications threads"),
    ("Session", Who::OwnerAlone, "createdAt expiresAt id ipAddress isCurrent label lastUsedAt"),
    ("Membership", Who::OwnerAlone, "canAddParticipants canChangeRoles canDelete canLeave canModerate
        canRemoveParticipants canSend canUpdate firstUnreadMessage id isArchived isPinned
        lastReadMessage mentionCount mutedUntil notificationLevel participant unreadCount"),
    ("Notification", Who::OwnerAlone, "actor conversation createdAt id message readAt type"),
    ("PageInfo", Who::Page, "endCursor hasNextPage hasPreviousPage startCursor"),
    ("ConversationConnection", Who::Page, "edges nodes pageInfo"),
    ("ConversationEdge", Who::Page, "cursor node"),
    ("MessageConnection", Who::Page, "edges nodes pageInfo"),
    ("MessageEdge", Who::Page, "cursor node"),
    ("MessageRevisionConnection", Who::Page, "edges nodes pageInfo"),
    ("MessageRevisionEdge", Who::Page, "cursor node"),
    ("NotificationConnection", Who::Page, "edges nodes pageInfo"),
    ("NotificationEdge", Who::Page, "cursor node"),
    ("ParticipantConnection", Who::Page, "edges nodes pageInfo"),
    ("ParticipantEdge", Who::Page, "cursor node"),
    ("SessionConnection", Who::Page, "edges nodes pageInfo"),
    ("SessionEdge", Who::Page, "cursor node"),
    ("ThreadConnection", Who::Page, "edges nodes pageInfo"),
    ("ThreadEdge", Who::Page, "cursor node"),
    ("ThreadReplyConnection", Who::Page, "edges nodes pageInfo"),
    ("ThreadReplyEdge", Who::Page, "cursor depth hiddenReplyCount node"),
    ("UnreadMessageConnection", Who::Page, "edges nodes pageInfo totalCount"),
    ("UserConnection", Who::Page, "edges nodes pageInfo"),
    ("UserEdge", Who::Page, "cursor node"),
    ("AuthResult", Who::Outcome, "accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt viewer"),
    ("AddParticipantsPayload", Who::Outcome, "conversation participants"),
    ("ChangeParticipantRolePayload", Who::Outcome, "participant"),
    ("ChangePasswordPayload", Who::Outcome, "viewer"),
    ("CreateConversationPayload", Who::Outcome, "conversation conversationEdge"),
    ("DeleteAccountPayload", Who::Outcome, "deletedUserId"),
    ("DeleteConversationPayload", Who::Outcome, "deletedConversationId"),
    ("DeleteMessagePayload", Who::Outcome, "deletedMessageId message"),
    ("DismissNotificationsPayload", Who::Outcome, "dismissedNotificationIds unread"),
    ("EditMessagePayload", Who::Outcome, "message"),
    ("FollowThreadPayload", Who::Outcome, "thread"),
    ("LeaveConversationPayload", Who::Outcome, "leftConversationId"),
    ("MarkConversationsReadPayload", Who::Outcome, "conversations markedCount unread"),
    ("MarkMessagesReadPayload", Who::Outcome, "markedCount messages unread"),
    ("MarkNotificationsReadPayload", Who::Outcome, "markedCount unread"),
    ("MarkThreadReadPayload", Who::Outcome, "markedCount thread unread"),
    ("MarkUnreadFromPayload", Who::Outcome, "message unread"),
    ("OpenDirectConversationPayload", Who::Outcome, "conversation wasCreated"),
    ("RefreshSessionPayload", Who::Outcome, "auth"),
    ("RegisterPayload", Who::Outcome, "auth"),
    ("RemoveParticipantPayload", Who::Outcome, "conversation removedParticipantId"),
    ("RevokeOtherSessionsPayload", Who::Outcome, "revokedSessionIds"),
    ("RevokeSessionsPayload", Who::Outcome, "revokedSessionIds"),
    ("SendMessagePayload", Who::Outcome, "message messageEdge replyEdge wasDuplicate"),
    ("SetPresencePayload", Who::Outcome, "user"),
    ("SetTypingPayload", Who::Outcome, "expiresAt"),
    ("SignInPayload", Who::Outcome, "auth"),
    ("SignOutPayload", Who::Outcome, "endedSessionId"),
    ("UnfollowThreadPayload", Who::Outcome, "thread"),
    ("UpdateConversationPayload", Who::Outcome, "conversation"),
    ("UpdateConversationSettingsPayload", Who::Outcome, "conversation"),
    ("UpdatePreferencesPayload", Who::Outcome, "viewer"),
    ("UpdateProfilePayload", Who::Outcome, "viewer"),
    ("ConversationChangedEvent", Who::Event, "conversation cursor occurredAt"),
    ("ConversationJoinedEvent", Who::Event, "conversation cursor occurredAt"),
    ("ConversationLeftEvent", Who::Event, "conversationId cursor occurredAt"),
    ("MessageDeletedEvent", Who::Event, "conversation cursor message messageId occurredAt"),
    ("MessageEditedEvent", Who::Event, "cursor message occurredAt"),
    ("MessageSentEvent", Who::Event, "cursor message occurredAt"),
    ("NotificationAddedEvent", Who::Event, "cursor notification occurredAt"),
    ("NotificationsChangedEvent", Who::Event, "cursor notificationIds occurredAt unread"),
    ("ParticipantChangedEvent", Who::Event, "conversation cursor occurredAt participant user"),
    ("PresenceChangedEvent", Who::Event, "cursor occurredAt user"),
    ("ReadPositionChangedEvent", Who::Event, "conversation cursor occurredAt readUpTo thread user"),
    ("SessionEndedEvent", Who::Event, "cursor occurredAt reason"),
    ("StreamOpenedEvent", Who::Event, "cursor occurredAt outcome"),
    ("ThreadChangedEvent", Who::Event, "cursor occurredAt thread"),
    ("TypingChangedEvent", Who::Event, "conversation cursor expiresAt occurredAt thread user"),
    ("UserChangedEvent", Who::Event, "cursor occurredAt user"),
];
