//! Who may see each field of each type. The authorization test fails for a field without a line here, and for a line
//! without a field.

/// Who may see a field of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Every caller, signed in or not.
    Public,
    /// Every signed-in user.
    SignedIn,
    /// Users who share a conversation with the object's owner, depending on the owner's privacy settings.
    Contacts,
    /// Participants of the conversation.
    Inside,
    /// The owner of an object that others see too; for the others the field is null.
    Owner,
    /// The owner only; for all others the object does not exist.
    OwnerAlone,
    /// Users with a role on the server; for all others the object does not exist.
    Auditor,
    /// The owner, and users with a role on the server.
    OwnerAndAuditor,
    /// A root type: its fields are tested one by one.
    Root,
    /// A connection: its contents have their own lines.
    Page,
    /// The payload of a mutation, for the caller who may call it.
    Payload,
    /// An event, for the subscribers of its stream.
    Event,
}

/// Types, who may see their fields, and the fields.
pub(super) const POLICY: &[(&str, Who, &str)] = &[
    ("Query", Who::Root, "admin conversation eventCursor message node nodes server thread user users viewer"),
    ("Mutation", Who::Root, "addParticipants adminCreateInvitation adminCreateUser adminRevokeInvitation adminReinstateUser adminResetSecondFactor
        adminRevokeAccess adminSendPasswordReset adminSuspendUser adminUpdateUser blockUser changeEmail changeParticipantRole changePassword completeSignIn
        confirmTotpSetup createConversation deleteAccount deleteConversation deleteMessage disableTotp dismissNotifications editMessage followThread
        leaveConversation markConversationsRead markMessagesRead markNotificationsRead markThreadRead
        markUnreadFrom openDirectConversation reauthenticate refreshSession regenerateRecoveryCodes register removeParticipant
        requestPasswordReset resendEmailVerification resetPassword
        revokeOtherSessions revokeSessions sendMessage setPresence setTyping signIn signOut
        startTotpSetup unblockUser unfollowThread
        updateConversation updateConversationSettings updatePreferences updateProfile verifyEmail"),
    ("Subscription", Who::Root, "events messageSent"),
    ("Server", Who::Public, "apiVersion errorCodes features id limits name now signUpPolicy version"),
    ("ServerLimits", Who::Public, "deleteWindowSeconds editWindowSeconds eventReplaySeconds
        messageLength participantsPerConversation threadDepth"),
    ("ErrorCodeInfo", Who::Public, "code isRetryable meaning"),
    ("User", Who::SignedIn, "createdAt displayName id isImported isVerified isViewer presence updatedAt username viewerCanMessage
        viewerConversation viewerHasBlocked"),
    ("User", Who::Contacts, "bio firstName lastActiveAt lastName statusText"),
    ("User", Who::Owner, "phoneNumber"),
    ("Conversation", Who::Inside, "createdAt createdBy displayTitle historyVisibility id kind
        lastActivityAt lastMessage messages participantCount participants threads title topic typing
        viewerMembership"),
    ("Participant", Who::Inside, "addedBy conversation id joinedAt lastReadMessage role user
        viewerCanChangeRole viewerCanRemove"),
    ("Message", Who::Inside, "body bodyHtml conversation createdAt deletableUntil deletedAt depth
        descendantCount editableUntil editedAt id isImported kind mentions mentionsViewer notice parent priority
        receiver replies replyCount revisions sender sequence thread viewerCanDelete viewerCanEdit
        viewerCanReply viewerHasBlockedSender viewerHasRead"),
    ("Message", Who::Owner, "clientMessageId"),
    ("MessageRevision", Who::Inside, "body bodyHtml editor id reason replacedAt"),
    ("Notice", Who::Inside, "actor subjects type value"),
    ("Thread", Who::Inside, "conversation id lastActivityAt lastReply participants replies replyCount
        root viewerCanReply viewerFirstUnreadMessage viewerIsFollowing viewerLastReadMessage viewerUnreadCount"),
    ("Viewer", Who::OwnerAlone, "blockedUsers conversations deletionPreview email hasPassword hasTotp id isEmailVerified messages
        notifications pendingEmail preferences recoveryCodesLeft role sessions signInMethods threads unread unreadMessages user"),
    ("AccountDeletionPreview", Who::OwnerAlone, "directConversationCount directMessageCount
        groupMessageCount keptThreadCount notificationCount ownedGroupCount revisionCount"),
    ("Preferences", Who::OwnerAlone, "id isSearchable locale notificationLevel phoneVisibility
        profileVisibility sharesPresence sharesReadReceipts timeZone"),
    ("Admin", Who::Auditor, "account accounts auditLog id invitations"),
    ("Account", Who::Auditor, "createdAt email hasSecondFactor id isEmailVerified lastActiveAt role signInMethods status
        suspendedAt suspensionReason updatedAt user"),
    ("Invitation", Who::Auditor, "acceptedAt acceptedBy createdAt createdBy email expiresAt id role status"),
    ("InvitationConnection", Who::Page, "edges nodes pageInfo"),
    ("InvitationEdge", Who::Page, "cursor node"),
    ("AuditEntry", Who::Auditor, "action actor actorLabel changes hash id ipAddress occurredAt outcome requestId
        sequence targetId targetLabel"),
    ("AuditChange", Who::Auditor, "after before field"),
    ("UnreadTotals", Who::OwnerAlone, "conversations id mentions messages notifications threads"),
    ("Session", Who::OwnerAlone, "createdAt expiresAt id ipAddress isCurrent label lastUsedAt
        reauthenticatedUntil"),
    ("Membership", Who::OwnerAlone, "canAddParticipants canChangeRoles canDelete canLeave canModerate
        canRemoveParticipants canSend canUpdate firstUnreadMessage id isArchived isHidden isPinned
        lastReadMessage mentionCount mutedUntil notificationLevel participant unreadCount"),
    ("Notification", Who::OwnerAlone, "actor conversation createdAt id isRead message readAt type"),
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
    ("AccountConnection", Who::Page, "edges nodes pageInfo"),
    ("AccountEdge", Who::Page, "cursor node"),
    ("AuditEntryConnection", Who::Page, "edges nodes pageInfo"),
    ("AuditEntryEdge", Who::Page, "cursor node"),
    ("SessionConnection", Who::Page, "edges nodes pageInfo"),
    ("SessionEdge", Who::Page, "cursor node"),
    ("ThreadConnection", Who::Page, "edges nodes pageInfo"),
    ("ThreadEdge", Who::Page, "cursor node"),
    ("ThreadReplyConnection", Who::Page, "edges nodes pageInfo"),
    ("ThreadReplyEdge", Who::Page, "cursor depth hiddenReplyCount node"),
    ("UnreadMessageConnection", Who::Page, "edges nodes pageInfo totalCount"),
    ("UserConnection", Who::Page, "edges nodes pageInfo"),
    ("UserEdge", Who::Page, "cursor node"),
    ("AuthResult", Who::Payload, "accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt viewer"),
    ("AdminCreateInvitationPayload", Who::Payload, "invitation invitationUrl"),
    ("AdminCreateUserPayload", Who::Payload, "account setupUrl"),
    ("AdminRevokeInvitationPayload", Who::Payload, "invitation"),
    ("AdminReinstateUserPayload", Who::Payload, "account"),
    ("AdminResetSecondFactorPayload", Who::Payload, "account"),
    ("AdminRevokeAccessPayload", Who::Payload, "revokedCount"),
    ("AdminSendPasswordResetPayload", Who::Payload, "account resetUrl"),
    ("AdminSuspendUserPayload", Who::Payload, "account"),
    ("AdminUpdateUserPayload", Who::Payload, "account"),
    ("AddParticipantsPayload", Who::Payload, "conversation participants"),
    ("BlockUserPayload", Who::Payload, "user"),
    ("ChangeEmailPayload", Who::Payload, "viewer"),
    ("ChangeParticipantRolePayload", Who::Payload, "participant"),
    ("ChangePasswordPayload", Who::Payload, "viewer"),
    ("CompleteSignInPayload", Who::Payload, "auth"),
    ("ConfirmTotpSetupPayload", Who::Payload, "recoveryCodes viewer"),
    ("CreateConversationPayload", Who::Payload, "conversation conversationEdge"),
    ("DeleteAccountPayload", Who::Payload, "deletedUserId"),
    ("DeleteConversationPayload", Who::Payload, "deletedConversationId"),
    ("DeleteMessagePayload", Who::Payload, "deletedMessageId message"),
    ("DisableTotpPayload", Who::Payload, "viewer"),
    ("DismissNotificationsPayload", Who::Payload, "dismissedNotificationIds unread"),
    ("EditMessagePayload", Who::Payload, "message"),
    ("FollowThreadPayload", Who::Payload, "thread"),
    ("LeaveConversationPayload", Who::Payload, "leftConversationId"),
    ("MarkConversationsReadPayload", Who::Payload, "conversations markedCount unread"),
    ("MarkMessagesReadPayload", Who::Payload, "markedCount messages unread"),
    ("MarkNotificationsReadPayload", Who::Payload, "markedCount unread"),
    ("MarkThreadReadPayload", Who::Payload, "markedCount thread unread"),
    ("MarkUnreadFromPayload", Who::Payload, "message unread"),
    ("OpenDirectConversationPayload", Who::Payload, "conversation wasCreated"),
    ("ReauthenticatePayload", Who::Payload, "session"),
    ("RefreshSessionPayload", Who::Payload, "auth"),
    ("RegenerateRecoveryCodesPayload", Who::Payload, "recoveryCodes"),
    ("RegisterPayload", Who::Payload, "auth needsEmailVerification"),
    ("RemoveParticipantPayload", Who::Payload, "conversation removedParticipantId"),
    ("RequestPasswordResetPayload", Who::Payload, "wasAccepted"),
    ("ResendEmailVerificationPayload", Who::Payload, "wasSent"),
    ("ResetPasswordPayload", Who::Payload, "username"),
    ("RevokeOtherSessionsPayload", Who::Payload, "revokedSessionIds"),
    ("RevokeSessionsPayload", Who::Payload, "revokedSessionIds"),
    ("SendMessagePayload", Who::Payload, "message messageEdge replyEdge wasDuplicate"),
    ("SetPresencePayload", Who::Payload, "user"),
    ("SetTypingPayload", Who::Payload, "expiresAt"),
    ("SignInChallenge", Who::Payload, "expiresAt methods token"),
    ("SignInPayload", Who::Payload, "auth challenge"),
    ("SignOutPayload", Who::Payload, "endedSessionId"),
    ("StartTotpSetupPayload", Who::Payload, "secret uri"),
    ("UnblockUserPayload", Who::Payload, "user"),
    ("UnfollowThreadPayload", Who::Payload, "thread"),
    ("UpdateConversationPayload", Who::Payload, "conversation"),
    ("UpdateConversationSettingsPayload", Who::Payload, "conversation"),
    ("UpdatePreferencesPayload", Who::Payload, "viewer"),
    ("UpdateProfilePayload", Who::Payload, "viewer"),
    ("VerifyEmailPayload", Who::Payload, "viewer"),
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
    ("ViewerChangedEvent", Who::Event, "cursor occurredAt viewer"),
];
