import type { ComponentChild } from "preact";

import { plurals } from "./plural";

const n = plurals("en");
type Node = ComponentChild;
type Role = "OWNER" | "MODERATOR" | "MEMBER" | "OBSERVER";

export interface Preview {
  directConversationCount: number;
  directMessageCount: number;
  groupMessageCount: number;
  keptThreadCount: number;
  ownedGroupCount: number;
  revisionCount: number;
}

const roles: Record<Role, string> = { OWNER: "Owner", MODERATOR: "Moderator", MEMBER: "Member", OBSERVER: "Observer" };

export const en = {
  // Sign-in
  signIn: "Sign in",
  signOut: "Sign out",
  register: "Create an account",
  createAccount: "Create account",
  aServer: "to this Heddle server",
  toServer: (name: string) => `to ${name}, a Heddle server`,
  newHere: "New here?",
  haveAccount: "Have an account?",
  login: "Email or username",
  email: "Email",
  name: "Name",
  nameHelp: "As others see it. Any script.",
  username: "Username",
  usernameHelp: "For mentions and sign-in: letters, digits, dots and underscores.",
  password: "Password",
  passwordHelp: "At least 10 characters. A short sentence works well.",
  showPassword: "Show password",
  optional: "optional",
  problems: (count: number) => n(count, { one: "One field needs another look", other: "# fields need another look" }),
  sessionEnded: "Your session has ended. Sign in to continue; your drafts are kept.",

  // Failures
  failedTitle: "That did not work",
  failed: (code: string) =>
    ({
      NETWORK: "The server did not respond. Check the connection and try again.",
      UNAVAILABLE: "The server is not available right now. Try again in a moment.",
      TIMEOUT: "The server took too long. Try again.",
      RATE_LIMITED: "That was too fast. Wait a moment and try again.",
      FORBIDDEN: "You may not do this.",
      NOT_FOUND: "It does not exist any more, or you cannot see it.",
      LIMIT_REACHED: "A limit of this server is reached.",
    })[code] ?? "The server has a problem. Try again.",
  reload: "Reload",
  updated: "A newer version is ready.",
  updatedLead: "Drafts stay as they are.",
  notStored: "This browser has no space left.",
  notStoredLead: "Keep this page open until your messages are sent.",
  setUp: "Set up this server",
  setUpLead: "You become its first administrator.",
  createAdministrator: "Create administrator",
  withDemo: "Add demo conversations",
  withDemoHelp: "Three people and a deep thread, to try things out",
  quoteInReply: "Quote in reply",
  panelWidth: "Width of the panel",
  retry: "Retry",
  retryNow: "Retry now",
  reconnecting: "Reconnecting…",
  offline: "You are offline.",
  offlineLead: "You can read what is loaded; messages are sent later.",
  notFound: "Nothing here",
  notFoundLead: "It does not exist, or you cannot see it.",
  removedFrom: "You are no longer in that conversation.",

  // General
  close: "Close",
  cancel: "Cancel",
  save: "Save",
  saved: "Saved",
  add: "Add",
  create: "Create",
  undo: "Undo",
  more: "More actions",
  showMore: "Show more",
  loading: "Loading…",
  today: "Today",
  yesterday: "Yesterday",
  you: "you",
  deletedUser: "Deleted user",
  skip: "Skip to messages",
  unread: "unread",
  remove: (name: string) => `Remove ${name}`,

  // Sidebar
  conversations: "Conversations",
  pinned: "Pinned",
  archived: (count: number) => n(count, { other: "Archived · #" }),
  inbox: "Inbox",
  threads: "Threads",
  settings: "Settings",
  shortcuts: "Keyboard shortcuts",
  jump: "Jump to…",
  jumpPlaceholder: "A conversation, a person or a page",
  goTo: "Go to",
  nothingFound: "Nothing found.",
  nothingHere: "Nothing here yet.",
  newConversation: "New conversation",
  startConversation: "Start a conversation",
  accountMenu: (presence: string) => `, ${presence}. Account menu`,
  accountMenuLabel: "Account menu",
  online: "Online",
  away: "Away",
  busy: "Busy",
  presence: (status: string) => ({ ONLINE: "online", AWAY: "away", BUSY: "busy" })[status] ?? "offline",
  muted: "Muted",
  typing: "typing",
  unreadCount: (count: number) => n(count, { other: "# unread" }),
  mentionCount: (count: number) => n(count, { one: "# mention", other: "# mentions" }),
  unreadThreads: (count: number) => n(count, { one: "# unread thread", other: "# unread threads" }),

  // Welcome
  welcome: (name: string) => `Welcome, ${name}`,
  welcomeLead: "This is where your conversations will be.",
  pickConversation: "Good to see you",
  pickLead: "Pick a conversation on the left, or start here.",
  startLead: "Give it a title. People can come later.",
  start: "Start",
  jumpLead: "Conversations, people and pages, from anywhere.",
  exploreApi: "Explore the API",
  exploreLead: "This page is built on it. GraphiQL shows all of it.",

  // New conversation
  kind: "Kind",
  group: "Group",
  direct: "Direct",
  title: "Title",
  titleHelp: "Without one, the names of the people show.",
  topic: "Topic",
  people: "People",
  searchPeople: "Search by name or username",
  nobodyFound: "Nobody found.",
  nobodyElse: "Nobody else is here yet.",
  openDirect: "Open",
  addPeople: "Add people",
  seesHistory: "They will see all earlier messages.",

  // Timeline
  messages: "Messages",
  beginning: "The beginning of this conversation",
  newLine: "New",
  toTheEnd: "To the newest messages",
  newMessages: (count: number) => n(count, { one: "# new message", other: "# new messages" }),
  said: (name: string, text: string) => `${name}: ${text}`,
  backToConversations: "Back to conversations",
  backToTimeline: "Back to the timeline",
  peopleCount: (count: number) => n(count, { one: "# person", other: "# people" }),
  details: "Details",
  cannotSend: "You can read this conversation but not write in it.",
  messageTo: (title: string) => `Message ${title}`,
  bold: "bold",
  italic: "italic",
  code: "code",
  quote: "quote",
  enterSends: <><b class="strong">Enter</b> sends, <b class="strong">Shift Enter</b> starts a line</> as Node,
  mention: "Mention someone",
  send: "Send",
  inThisConversation: "In this conversation",
  areTyping: (names: string, count: number) => (count === 1 ? `${names} is typing` : `${names} are typing`),
  left: (count: string) => `${count} left`,
  tooLong: (count: string) => `${count} too long`,
  notice: (type: string, actor: Node, people: Node, value: Node): Node => {
    switch (type) {
      case "CREATED": return <>{actor} started the conversation</>;
      case "PARTICIPANTS_ADDED": return <>{actor} added {people}</>;
      case "PARTICIPANT_LEFT": return <>{actor} left</>;
      case "PARTICIPANT_REMOVED": return <>{actor} removed {people}</>;
      case "ROLE_CHANGED": return <>{actor} changed the role of {people}</>;
      case "TITLE_CHANGED": return value ? <>{actor} changed the title to “{value}”</> : <>{actor} removed the title</>;
      case "TOPIC_CHANGED": return value ? <>{actor} changed the topic to “{value}”</> : <>{actor} removed the topic</>;
      default: return <>{actor} changed the conversation</>;
    }
  },

  // Messages
  messageActions: "Message actions",
  reply: "Reply",
  replyInThread: "Reply in thread",
  edit: "Edit",
  delete: "Delete",
  copy: "Copy",
  copyText: "Copy text",
  copyLink: "Copy link",
  linkCopied: "Link copied",
  textCopied: "Text copied",
  copyFailed: "The browser did not allow it.",
  history: "Edit history",
  unreadFromHere: "Mark unread from here",
  markedUnread: "Marked as unread",
  edited: "edited",
  editMessage: "Edit message",
  editConflict: "It was changed meanwhile. Save again to replace that version.",
  reasonOptional: "Reason (optional)",
  messageDeleted: "Message deleted",
  deleteMessage: "Delete this message?",
  deleteMessageText: "It disappears for everyone, and cannot come back.",
  sending: "Sending…",
  notSent: "Not sent",
  discard: "Delete",
  priority: (value: string): string => (value === "URGENT" ? "Urgent" : "Important"),
  replyCount: (count: number) => n(count, { one: "# reply", other: "# replies" }),
  lastReply: (time: string) => `last reply ${time}`,
  newCount: (count: number) => n(count, { other: "# new" }),
  currentVersion: "Current version",
  version: "Edited version",
  original: "Original",
  historyErased: "The earlier versions are erased.",

  // Threads
  thread: "Thread",
  replies: "Replies",
  repliesByTime: "Replies in time order",
  closeThread: "Close thread",
  copyThreadLink: "Copy link to the thread",
  order: "Order",
  tree: "Tree",
  time: "Time",
  follow: "Follow",
  following: "Following",
  focusedBranch: "Focused branch",
  focusBranch: "Show only this branch",
  allReplies: "All replies",
  showAll: "Show all",
  collapse: (name: string) => `Collapse the branch of ${name}`,
  inReplyTo: (name: string) => `in reply to ${name}`,
  level: (depth: number, parent: string | null, isUnread: boolean) =>
    `Reply at level ${depth}${parent ? ` to ${parent}` : ""}${isUnread ? ", unread" : ""}`,
  moreReplies: "Show more replies",
  noReplies: "No replies yet.",
  unreadBelow: (count: number) => n(count, { other: "# unread below" }),
  replyTo: (name: string) => `Reply to ${name}`,
  replyToShort: "Reply to",
  replyToThread: "Reply to the thread",
  replyToThreadInstead: "Reply to the thread instead",
  replyPlaceholder: "Reply…",
  markAllRead: "Mark all read",

  // Inbox
  all: "All",
  unreadTab: "Unread",
  mentions: "Mentions",
  filter: "Filter",
  filterThreads: "Filter threads",
  markRead: "Mark read",
  dismiss: "Dismiss",
  dismissed: "Dismissed",
  markedRead: (count: number) => n(count, { other: "Marked # as read" }),
  inboxEmpty: "Nothing here. Mentions and replies to you will appear here.",
  inboxRead: "Everything is read.",
  noMentions: "Nobody has mentioned you.",
  formerConversation: "Other",
  unreadThreadsTab: (count: number) => (count ? n(count, { other: "Unread #" }) : "Unread"),
  noUnreadThreads: "That is all. Read threads are under Following.",
  noThreads: "Threads that you write in or follow appear here.",
  thatIsAll: "That is all.",
  notification: (type: string, actor: Node): Node => {
    switch (type) {
      case "MENTION": return <>{actor} mentioned you</>;
      case "REPLY": return <>{actor} replied</>;
      case "MESSAGE": return <>{actor} wrote</>;
      case "ADDED_TO_CONVERSATION": return <>{actor} added you</>;
      case "ROLE_CHANGED": return <>{actor} changed your role</>;
      default: return <>{actor} did something new</>;
    }
  },

  // Details
  closeDetails: "Close details",
  editTitle: "Edit title and topic",
  notifyMe: "Notify me",
  level_: (level: string) => ({ ALL: "All", MENTIONS: "Mentions" })[level] ?? "Nothing",
  mute: "Mute",
  unmute: "Unmute",
  notMuted: "Not muted",
  muteHour: "For an hour",
  muteDay: "For a day",
  muteForever: "Until I unmute",
  pin: "Keep at the top",
  archive: "Archive",
  archiveHelp: "Until there is a new message",
  message: "Message",
  makeRole: (role: Role) => `Make ${roles[role].toLowerCase()}`,
  removePerson: "Remove from the conversation",
  personActions: (name: string) => `Actions for ${name}`,
  role: (role: Role) => roles[role],
  roles: (role: Role, count: number) =>
    `${{ OWNER: count === 1 ? "Owner" : "Owners", MODERATOR: "Moderators", MEMBER: "Members", OBSERVER: "Observers" }[role]} · ${count}`,
  leave: "Leave",
  leaveText: (title: string) => `You will no longer see “${title}”. Someone has to add you again.`,
  deleteConversation: "Delete conversation",
  deleteConversationText: (title: string) => `“${title}” and everything in it disappears for everyone, and cannot come back.`,
  typeToConfirm: (text: string) => `Type “${text}” to confirm`,

  // Settings
  sections: { preferences: "Preferences", profile: "Profile", privacy: "Privacy", security: "Security", account: "Account" },
  appearance: "Appearance",
  system: "System",
  light: "Light",
  dark: "Dark",
  language: "Language",
  languageHelp: "Also sets the direction of the page",
  singleKeys: "Single-key shortcuts",
  singleKeysHelp: "j, k, r, e and others, when no field has the focus",
  notifyHelp: "For new conversations; each can differ",
  bio: "About you",
  sharesPresence: "Show when I am online",
  sharesPresenceHelp: "Others see whether you are online, away or busy",
  sharesReading: "Show what I have read",
  sharesReadingHelp: "Others see when you have read their messages",
  searchable: "Let people find me",
  searchableHelp: "By name or username",
  profileVisibility: "Who sees my details",
  profileVisibilityHelp: "First and last name, and the text about you",
  visibility: (who: string) => ({ EVERYONE: "Everyone", CONTACTS: "Contacts" })[who] ?? "Nobody",
  sessions: "Sessions",
  sessionsLead: "Where you are signed in. Signing out takes effect at once, also on open pages.",
  thisDevice: "This device",
  since: (time: string) => `since ${time}`,
  lastUsed: (time: string) => `last used ${time}`,
  signOutOthers: "Sign out everywhere else",
  currentPassword: "Current password",
  newPassword: "New password",
  changePassword: "Change password",
  passwordChanged: "Password changed",
  deleteAccount: "Delete account",
  deleteAccountLead: "You see what would be deleted before anything happens.",
  deleteAccountText: "This cannot be undone. These are deleted with your account:",
  deletionPreview: (it: Preview) => [
    n(it.directConversationCount, { one: "# direct conversation", other: "# direct conversations" }) + `, with ${n(it.directMessageCount, { one: "# message", other: "# messages" })}`,
    n(it.groupMessageCount, { one: "# message in groups", other: "# messages in groups" }) + (it.keptThreadCount ? `; ${n(it.keptThreadCount, { one: "# thread keeps an empty marker", other: "# threads keep an empty marker" })}` : ""),
    ...(it.ownedGroupCount ? [n(it.ownedGroupCount, { one: "# group that only you own: give it another owner first", other: "# groups that only you own: give them another owner first" })] : []),
  ],
  groupMessages: "My messages in groups",
  disposeDelete: "Delete",
  disposeAnonymize: "Keep without my name",

  keys: [
    ["Ctrl K", "Jump to a conversation, a person or a page"],
    ["Alt ↓", "Next conversation; with Shift, the next unread one"],
    ["J K", "Next and previous message"],
    ["R", "Reply"],
    ["E", "Edit"],
    ["U", "Mark unread from here"],
    ["↑", "In an empty field: edit your last message"],
    ["Esc", "Close, or mark the conversation read"],
    ["?", "This list"],
  ] as [string, string][],
};

export type Messages = typeof en;
