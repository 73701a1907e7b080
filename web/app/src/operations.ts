// Every operation and fragment of the client. The build validates this file against schema.graphql.
import { graphql } from "./graphql";

export const UserFields = graphql(`
  fragment UserFields on User {
    id displayName username presence statusText isViewer
  }
`);

export const ThreadFields = graphql(`
  fragment ThreadFields on Thread {
    id replyCount lastActivityAt viewerUnreadCount viewerIsFollowing
    root { id }
    conversation { id }
    participants(first: 3) { nodes { ...UserFields } }
  }
`, [UserFields]);

/** A message without its thread: the replies of a thread do not repeat it. */
export const MessageCore = graphql(`
  fragment MessageCore on Message {
    id body bodyHtml clientMessageId createdAt editedAt deletedAt kind sequence depth priority
    viewerHasRead viewerCanEdit viewerCanDelete viewerCanReply mentionsViewer
    conversation { id }
    parent { id }
    sender { ...UserFields }
    mentions { id username displayName }
    notice { type value actor { ...UserFields } subjects { ...UserFields } }
  }
`, [UserFields]);

export const MessageFields = graphql(`
  fragment MessageFields on Message { ...MessageCore thread { ...ThreadFields } }
`, [MessageCore, ThreadFields]);

/** What changes while people talk: every event about a conversation carries it. */
export const ConversationState = graphql(`
  fragment ConversationState on Conversation {
    id lastActivityAt
    viewerMembership { id unreadCount mentionCount isArchived }
  }
`);

export const ConversationFields = graphql(`
  fragment ConversationFields on Conversation {
    id kind displayTitle title topic participantCount lastActivityAt historyVisibility
    participants(first: 3) { nodes { id user { ...UserFields } } }
    viewerMembership {
      id unreadCount mentionCount isArchived isPinned mutedUntil notificationLevel
      canSend canUpdate canAddParticipants canRemoveParticipants canChangeRoles canDelete canLeave
      participant { id role }
    }
  }
`, [UserFields]);

export const NotificationFields = graphql(`
  fragment NotificationFields on Notification {
    id type createdAt readAt
    actor { ...UserFields }
    conversation { id displayTitle kind }
    message { ...MessageFields }
  }
`, [UserFields, MessageFields]);

export const UnreadFields = graphql(`
  fragment UnreadFields on UnreadTotals { id conversations mentions messages notifications threads }
`);

export const ServerQuery = graphql(`
  query Server {
    server { id name now signUpPolicy features limits { messageLength threadDepth } }
  }
`);

export const StartQuery = graphql(`
  query Start($after: String) {
    eventCursor
    server { id name now signUpPolicy features limits { messageLength threadDepth } }
    viewer {
      id email role
      user { ...UserFields bio }
      unread { ...UnreadFields }
      conversations(first: 50, after: $after, filter: { isArchived: null }) {
        nodes { ...ConversationFields }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [UserFields, UnreadFields, ConversationFields]);

export const UnreadQuery = graphql(`
  query Unread { viewer { id unread { ...UnreadFields } } }
`, [UnreadFields]);

export const ConversationQuery = graphql(`
  query Conversation($id: ID!) { conversation(id: $id) { ...ConversationFields } }
`, [ConversationFields]);

export const TimelineQuery = graphql(`
  query Timeline($id: ID!, $first: Int, $last: Int, $after: String, $before: String, $around: TimelineAnchor) {
    eventCursor
    conversation(id: $id) {
      ...ConversationFields
      messages(first: $first, last: $last, after: $after, before: $before, around: $around) {
        edges { cursor node { ...MessageFields } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
      }
    }
  }
`, [ConversationFields, MessageFields]);

export const ThreadQuery = graphql(`
  query Thread($id: ID!, $after: String) {
    thread(id: $id) {
      ...ThreadFields
      root { ...MessageFields }
      replies(first: 50, after: $after) {
        nodes { ...MessageCore }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [ThreadFields, MessageFields, MessageCore]);

export const MessageQuery = graphql(`
  query Message($id: ID!) { message(id: $id) { ...MessageFields } }
`, [MessageFields]);

export const RevisionsQuery = graphql(`
  query Revisions($id: ID!, $after: String) {
    message(id: $id) {
      id body editedAt
      sender { ...UserFields }
      revisions(first: 50, after: $after) {
        nodes { id body reason replacedAt editor { ...UserFields } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [UserFields]);

export const ParticipantsQuery = graphql(`
  query Participants($id: ID!, $after: String) {
    conversation(id: $id) {
      id
      participants(first: 100, after: $after) {
        nodes { id role user { ...UserFields } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [UserFields]);

export const UsersQuery = graphql(`
  query Users($text: String) {
    users(first: 20, filter: { text: $text }) { nodes { ...UserFields viewerCanMessage viewerConversation { id } } }
  }
`, [UserFields]);

export const NotificationsQuery = graphql(`
  query Notifications($after: String, $unreadOnly: Boolean!) {
    viewer {
      id
      unread { ...UnreadFields }
      notifications(first: 30, after: $after, unreadOnly: $unreadOnly) {
        nodes { ...NotificationFields }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [UnreadFields, NotificationFields]);

export const ThreadsQuery = graphql(`
  query Threads($after: String, $unreadOnly: Boolean!) {
    viewer {
      id
      threads(first: 20, after: $after, unreadOnly: $unreadOnly) {
        nodes { ...ThreadFields root { ...MessageFields } lastReply { ...MessageFields } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`, [ThreadFields, MessageFields]);

export const SettingsQuery = graphql(`
  query Settings {
    viewer {
      id email pendingEmail isEmailVerified hasPassword hasTotp recoveryCodesLeft
      user { ...UserFields bio }
      preferences { id isSearchable notificationLevel sharesPresence sharesReadReceipts profileVisibility }
      sessions(first: 50) { nodes { id label ipAddress createdAt lastUsedAt isCurrent } }
    }
  }
`, [UserFields]);

export const BlockedQuery = graphql(`
  query Blocked($after: String) {
    viewer {
      id
      blockedUsers(first: 100, after: $after) { nodes { ...UserFields } pageInfo { hasNextPage endCursor } }
    }
  }
`, [UserFields]);

export const BlockUser = graphql(`
  mutation BlockUser($input: BlockUserInput!) { blockUser(input: $input) { user { ...UserFields } } }
`, [UserFields]);

export const UnblockUser = graphql(`
  mutation UnblockUser($input: UnblockUserInput!) { unblockUser(input: $input) { user { ...UserFields } } }
`, [UserFields]);

export const Reauthenticate = graphql(`
  mutation Reauthenticate($input: ReauthenticateInput!) {
    reauthenticate(input: $input) { session { id } }
  }
`);

export const StartTotpSetup = graphql(`
  mutation StartTotpSetup { startTotpSetup { secret uri } }
`);

export const ConfirmTotpSetup = graphql(`
  mutation ConfirmTotpSetup($input: ConfirmTotpSetupInput!) {
    confirmTotpSetup(input: $input) { recoveryCodes }
  }
`);

export const DisableTotp = graphql(`
  mutation DisableTotp($input: DisableTotpInput!) {
    disableTotp(input: $input) { viewer { id hasTotp recoveryCodesLeft } }
  }
`);

export const RegenerateRecoveryCodes = graphql(`
  mutation RegenerateRecoveryCodes($input: RegenerateRecoveryCodesInput!) {
    regenerateRecoveryCodes(input: $input) { recoveryCodes }
  }
`);

export const ChangeEmail = graphql(`
  mutation ChangeEmail($input: ChangeEmailInput!) {
    changeEmail(input: $input) { viewer { id email pendingEmail } }
  }
`);

export const VerifyEmail = graphql(`
  mutation VerifyEmail($input: VerifyEmailInput!) {
    verifyEmail(input: $input) { viewer { id isEmailVerified } }
  }
`);

export const ResendEmailVerification = graphql(`
  mutation ResendEmailVerification($input: ResendEmailVerificationInput!) {
    resendEmailVerification(input: $input) { wasSent }
  }
`);

export const RequestPasswordReset = graphql(`
  mutation RequestPasswordReset($input: RequestPasswordResetInput!) {
    requestPasswordReset(input: $input) { wasAccepted }
  }
`);

export const ResetPassword = graphql(`
  mutation ResetPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) { username }
  }
`);

export const DeletionPreviewQuery = graphql(`
  query DeletionPreview {
    viewer {
      id
      hasTotp
      deletionPreview {
        directConversationCount directMessageCount groupMessageCount keptThreadCount ownedGroupCount revisionCount
      }
    }
  }
`);

export const CreateConversation = graphql(`
  mutation CreateConversation($input: CreateConversationInput!) {
    createConversation(input: $input) { conversation { ...ConversationFields } }
  }
`, [ConversationFields]);

export const OpenDirectConversation = graphql(`
  mutation OpenDirectConversation($input: OpenDirectConversationInput!) {
    openDirectConversation(input: $input) { conversation { ...ConversationFields } }
  }
`, [ConversationFields]);

export const EditMessage = graphql(`
  mutation EditMessage($input: EditMessageInput!) {
    editMessage(input: $input) { message { ...MessageFields } }
  }
`, [MessageFields]);

export const DeleteMessage = graphql(`
  mutation DeleteMessage($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { deletedMessageId message { ...MessageFields } }
  }
`, [MessageFields]);

export const MarkMessagesRead = graphql(`
  mutation MarkMessagesRead($input: MarkMessagesReadInput!) {
    markMessagesRead(input: $input) {
      unread { ...UnreadFields }
      messages {
        id viewerHasRead
        conversation { ...ConversationState }
        thread { id viewerUnreadCount }
      }
    }
  }
`, [UnreadFields, ConversationState]);

export const MarkConversationsRead = graphql(`
  mutation MarkConversationsRead($input: MarkConversationsReadInput!) {
    markConversationsRead(input: $input) {
      unread { ...UnreadFields }
      conversations { ...ConversationState }
    }
  }
`, [UnreadFields, ConversationState]);

export const MarkThreadRead = graphql(`
  mutation MarkThreadRead($input: MarkThreadReadInput!) {
    markThreadRead(input: $input) { unread { ...UnreadFields } thread { ...ThreadFields } }
  }
`, [UnreadFields, ThreadFields]);

export const MarkUnreadFrom = graphql(`
  mutation MarkUnreadFrom($input: MarkUnreadFromInput!) {
    markUnreadFrom(input: $input) {
      unread { ...UnreadFields }
      message { id viewerHasRead conversation { ...ConversationState } thread { ...ThreadFields } }
    }
  }
`, [UnreadFields, ConversationState, ThreadFields]);

export const MarkNotificationsRead = graphql(`
  mutation MarkNotificationsRead($input: MarkNotificationsReadInput!) {
    markNotificationsRead(input: $input) { markedCount unread { ...UnreadFields } }
  }
`, [UnreadFields]);

export const DismissNotifications = graphql(`
  mutation DismissNotifications($input: DismissNotificationsInput!) {
    dismissNotifications(input: $input) { dismissedNotificationIds unread { ...UnreadFields } }
  }
`, [UnreadFields]);

export const FollowThread = graphql(`
  mutation FollowThread($input: FollowThreadInput!) { followThread(input: $input) { thread { ...ThreadFields } } }
`, [ThreadFields]);

export const UnfollowThread = graphql(`
  mutation UnfollowThread($input: UnfollowThreadInput!) { unfollowThread(input: $input) { thread { ...ThreadFields } } }
`, [ThreadFields]);

export const SetTyping = graphql(`
  mutation SetTyping($input: SetTypingInput!) { setTyping(input: $input) { expiresAt } }
`);

export const SetPresence = graphql(`
  mutation SetPresence($input: SetPresenceInput!) { setPresence(input: $input) { user { ...UserFields } } }
`, [UserFields]);

export const UpdateConversation = graphql(`
  mutation UpdateConversation($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { ...ConversationFields } }
  }
`, [ConversationFields]);

export const UpdateConversationSettings = graphql(`
  mutation UpdateConversationSettings($input: UpdateConversationSettingsInput!) {
    updateConversationSettings(input: $input) { conversation { ...ConversationFields } }
  }
`, [ConversationFields]);

export const AddParticipants = graphql(`
  mutation AddParticipants($input: AddParticipantsInput!) {
    addParticipants(input: $input) { participants { id role user { ...UserFields } } }
  }
`, [UserFields]);

export const RemoveParticipant = graphql(`
  mutation RemoveParticipant($input: RemoveParticipantInput!) {
    removeParticipant(input: $input) { removedParticipantId }
  }
`);

export const ChangeParticipantRole = graphql(`
  mutation ChangeParticipantRole($input: ChangeParticipantRoleInput!) {
    changeParticipantRole(input: $input) { participant { id role } }
  }
`);

export const LeaveConversation = graphql(`
  mutation LeaveConversation($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { leftConversationId }
  }
`);

export const DeleteConversation = graphql(`
  mutation DeleteConversation($input: DeleteConversationInput!) {
    deleteConversation(input: $input) { deletedConversationId }
  }
`);

export const UpdateProfile = graphql(`
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) { viewer { id user { ...UserFields bio } } }
  }
`, [UserFields]);

export const UpdatePreferences = graphql(`
  mutation UpdatePreferences($input: UpdatePreferencesInput!) {
    updatePreferences(input: $input) {
      viewer { id preferences { id isSearchable notificationLevel sharesPresence sharesReadReceipts profileVisibility } }
    }
  }
`);

export const ChangePassword = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) { changePassword(input: $input) { viewer { id } } }
`);

export const RevokeSessions = graphql(`
  mutation RevokeSessions($input: RevokeSessionsInput!) { revokeSessions(input: $input) { revokedSessionIds } }
`);

export const RevokeOtherSessions = graphql(`
  mutation RevokeOtherSessions { revokeOtherSessions { revokedSessionIds } }
`);

export const DeleteAccount = graphql(`
  mutation DeleteAccount($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }
`);

/**
 * The selection of every event. `Listen` is only a carrier for the types and the check. Two fields have an alias,
 * because a field that is null in one type of event and not in another cannot be selected under one name.
 */
export const EventFields = graphql(`
  fragment EventFields on Event {
    __typename
    ... on MessageSentEvent { message { ...MessageFields conversation { ...ConversationState } } }
    ... on MessageEditedEvent { message { ...MessageFields } }
    ... on MessageDeletedEvent { messageId conversation { ...ConversationState } marker: message { ...MessageFields } }
    ... on ThreadChangedEvent { thread { ...ThreadFields } }
    ... on ReadPositionChangedEvent {
      user { id } readUpTo { id sequence } inThread: thread { ...ThreadFields } conversation { ...ConversationState }
    }
    ... on ConversationChangedEvent { conversation { ...ConversationFields } }
    ... on ConversationJoinedEvent { conversation { ...ConversationFields } }
    ... on ConversationLeftEvent { conversationId }
    ... on ParticipantChangedEvent {
      user { ...UserFields } participant { id role } conversation { ...ConversationFields }
    }
    ... on UserChangedEvent { user { ...UserFields } }
    ... on ViewerChangedEvent { occurredAt }
    ... on NotificationAddedEvent { notification { ...NotificationFields } }
    ... on NotificationsChangedEvent { occurredAt notificationIds unread { ...UnreadFields } }
  }
`, [MessageFields, ConversationState, ThreadFields, ConversationFields, UserFields, NotificationFields, UnreadFields]);

/**
 * The selection of typing and presence. It has a stream of its own: an event costs as much as the whole selection of its
 * stream, and these events are frequent.
 */
export const EphemeralFields = graphql(`
  fragment EphemeralFields on Event {
    __typename
    ... on PresenceChangedEvent { user { ...UserFields } }
    ... on TypingChangedEvent { expiresAt user { ...UserFields } conversation { id } thread { id } }
  }
`, [UserFields]);

export const Listen = graphql(`
  subscription Listen { events { ...EventFields } }
`, [EventFields]);

export const ListenEphemeral = graphql(`
  subscription ListenEphemeral { events { ...EphemeralFields } }
`, [EphemeralFields]);
