// Details of a conversation: people with roles, notifications, title and topic, leaving and deleting.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { now } from "../clock";
import { dye } from "../format";
import {
  ChangeParticipantRole, OpenDirectConversation, ParticipantsQuery, RemoveParticipant, UpdateConversation, UpdateConversationSettings,
} from "../operations";
import { navigate, toConversation } from "../route";
import { isBlocked } from "../store/blocks";
import { addConversation, conversations, peopleVersion, putConversation, putUser, users, viewerId, type Conversation, type Membership, type User } from "../store/data";
import { t } from "../text";
import { blockPerson, unblockPerson } from "./Blocked";
import { Field, Summary, useForm } from "./forms";
import { overlay } from "./overlays";
import { explain, Face, Icon, IconButton, Menu, nameOf, otherPerson, Panel, PanelTitle, say, Skeleton, Switch, type Action } from "./parts";
import { isMuted } from "./Sidebar";

type Role = "OWNER" | "MODERATOR" | "MEMBER" | "OBSERVER";
const ROLES: Role[] = ["OWNER", "MODERATOR", "MEMBER", "OBSERVER"];

interface Member {
  id: string;
  role: Role;
  userId: string;
}

const complain = (error: unknown) => say(explain(error));

function useMembers(conversationId: string): { members: Member[] | null; more: (() => void) | null } {
  const [members, setMembers] = useState<Member[] | null>(null);
  const [after, setAfter] = useState<string | null>(null);
  const load = (from: string | null) => {
    request(ParticipantsQuery, { id: conversationId, after: from }).then(({ conversation }) => {
      if (!conversation) return;
      const { nodes, pageInfo } = conversation.participants;
      const rows = nodes.map(({ id, role, user }) => ({ id, role: role as Role, userId: putUser(user as User) }));
      setMembers((before) => (from && before ? [...before, ...rows] : rows));
      setAfter(pageInfo.hasNextPage ? pageInfo.endCursor : null);
    }, () => {});
  };
  const version = peopleVersion.value;
  useEffect(() => load(null), [conversationId, version]);
  return { members, more: after ? () => load(after) : null };
}

/** Changes the viewer's own settings. They show at once. */
async function settings(row: Conversation, change: Partial<Pick<Membership, "isPinned" | "isArchived" | "mutedUntil" | "notificationLevel">>): Promise<void> {
  const mine = row.viewerMembership!;
  const shown = conversations.change(row.id, { viewerMembership: { ...mine, ...change } });
  try {
    const { updateConversationSettings: done } = await request(UpdateConversationSettings, { input: { conversationId: row.id, ...change } });
    if (done?.conversation) putConversation(done.conversation);
  } catch (error) {
    complain(error);
  } finally {
    shown.drop();
  }
}

const HOUR = 3_600_000;

function Mute({ row }: { row: Conversation }) {
  const [open, setOpen] = useState(false);
  const until = (ms: number) => () => void settings(row, { mutedUntil: new Date(now() + ms).toISOString() });
  const actions: Action[] = isMuted(row)
    ? [{ icon: "bell", label: t.unmute, run: () => void settings(row, { mutedUntil: null }) }]
    : [];
  actions.push(
    { icon: "clock", label: t.muteHour, run: until(HOUR) },
    { icon: "clock", label: t.muteDay, run: until(24 * HOUR) },
    { icon: "bell-off", label: t.muteForever, run: until(24 * 365 * 10 * HOUR) },
  );
  return (
    <span class="is-anchor">
      <button type="button" class="button" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>{isMuted(row) ? t.muted : t.notMuted}<Icon name="down" small /></button>
      {open && <Menu label={t.mute} actions={actions} close={() => setOpen(false)} />}
    </span>
  );
}

function Person({ row, member }: { row: Conversation; member: Member }) {
  const [open, setOpen] = useState(false);
  const mine = row.viewerMembership;
  const user = users.get(member.userId);
  const isMe = member.userId === viewerId.value;
  const setRole = (role: Role) => () =>
    void request(ChangeParticipantRole, { input: { conversationId: row.id, userId: member.userId, role } }).then(() => (peopleVersion.value += 1), complain);
  const actions: Action[] = [];
  if (!isMe && !isBlocked(member.userId)) {
    actions.push({
      icon: "compose", label: t.message, run: () => void request(OpenDirectConversation, { input: { userIds: [member.userId] } }).then(({ openDirectConversation: done }) => {
        if (!done?.conversation) return;
        addConversation(putConversation(done.conversation));
        navigate(toConversation(done.conversation.id));
      }, complain),
    });
  }
  if (mine?.canChangeRoles && !isMe) {
    for (const role of ROLES) if (role !== member.role) actions.push({ icon: role === "OBSERVER" ? "eye" : role === "MEMBER" ? "person" : "shield", label: t.makeRole(role), run: setRole(role) });
  }
  if (mine?.canRemoveParticipants && !isMe && row.kind === "GROUP") {
    actions.push({
      icon: "leave", label: t.removePerson, danger: true,
      run: () => void request(RemoveParticipant, { input: { conversationId: row.id, userId: member.userId } }).then(() => (peopleVersion.value += 1), complain),
    });
  }
  if (!isMe) {
    actions.push(isBlocked(member.userId)
      ? { icon: "block", label: t.unblock, run: () => unblockPerson(member.userId) }
      : { icon: "block", label: t.block, danger: true, run: () => blockPerson(member.userId) });
  }
  return (
    <li class="person">
      <Face id={member.userId} size={32} presence />
      <div class="grow">
        <div class="name clip"><bdi>{nameOf(member.userId)}</bdi></div>
        <div class="small muted clip">@{user?.username}{isMe ? ` · ${t.you}` : user?.statusText ? <> · <bdi>{user.statusText}</bdi></> : ""}</div>
      </div>
      {actions.length ? (
        <span class="is-anchor">
          <button type="button" class="pick" aria-haspopup="menu" aria-expanded={open} aria-label={row.kind === "GROUP" ? `${t.role(member.role)}: ${t.personActions(nameOf(member.userId))}` : t.personActions(nameOf(member.userId))} onClick={() => setOpen(!open)}>{row.kind === "GROUP" ? t.role(member.role) : <Icon name="more" small />}<Icon name="down" small /></button>
          {open && <Menu label={t.personActions(nameOf(member.userId))} actions={actions} close={() => setOpen(false)} />}
        </span>
      ) : row.kind === "GROUP" && <span class="small muted is-role">{t.role(member.role)}</span>}
    </li>
  );
}

function EditForm({ row, close }: { row: Conversation; close: () => void }) {
  const [title, setTitle] = useState(row.title ?? "");
  const [topic, setTopic] = useState(row.topic ?? "");
  const { busy, failure, run, problem } = useForm();
  const submit = async (event: Event) => {
    event.preventDefault();
    const ok = await run(async () => {
      const input = { conversationId: row.id, title: title.trim() || null, topic: topic.trim() || null };
      const { updateConversation: done } = await request(UpdateConversation, { input });
      if (done?.conversation) putConversation(done.conversation);
    });
    if (ok) close();
  };
  return (
    <form class="section is-first" onSubmit={submit}>
      {failure && <Summary {...failure} />}
      <Field name="title" label={t.title} value={title} change={setTitle} optional problem={problem("title")} />
      <Field name="topic" label={t.topic} value={topic} change={setTopic} optional problem={problem("topic")} />
      <div class="dialog-foot"><button type="button" class="button quiet" onClick={close}>{t.cancel}</button><button type="submit" class="button primary" disabled={busy}>{t.save}</button></div>
    </form>
  );
}

export function Details({ conversationId }: { conversationId: string }) {
  const row = conversations.get(conversationId);
  const { members, more } = useMembers(conversationId);
  const [isEditing, setEditing] = useState(false);
  const close = () => navigate(toConversation(conversationId));
  const mine = row?.viewerMembership;
  const other = row && otherPerson(row);
  const levels = ["ALL", "MENTIONS", "NONE"] as const;
  return (
    <Panel label={t.details}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={t.backToTimeline} onClick={close} />
        <div class="bar-text"><PanelTitle>{t.details}</PanelTitle></div>
        <div class="bar-actions">
          {mine?.canUpdate && row?.kind === "GROUP" && <IconButton icon="edit" label={t.editTitle} expanded={isEditing} onClick={() => setEditing(!isEditing)} />}
          <IconButton icon="x" class="wide-only" label={t.closeDetails} onClick={close} />
        </div>
      </header>
      <div class="scroll">
        {row && (isEditing ? <EditForm row={row} close={() => setEditing(false)} /> : (
          <div class="details-head">
            {other ? <Face id={other} size={56} presence /> : <Icon name="heddle" class={`heddle ${dye(row.id)}`} />}
            <div>
              <h2 class="details-title"><bdi>{other ? nameOf(other) : row.displayTitle}</bdi></h2>
              {other ? <p class="small muted">@{users.get(other)?.username}</p> : row.topic && <p class="text details-topic" dir="auto">{row.topic}</p>}
            </div>
          </div>
        ))}
        {row && mine && (
          <div class="section">
            <div class="set"><div class="grow"><b>{t.notifyMe}</b></div>
              <div class="segmented" role="group" aria-label={t.notifyMe}>
                {levels.map((level) => <button key={level} type="button" aria-pressed={mine.notificationLevel === level} onClick={() => void settings(row, { notificationLevel: level })}>{t.level_(level)}</button>)}
              </div></div>
            <div class="set"><div class="grow"><b>{t.mute}</b></div><Mute row={row} /></div>
            <div class="set"><div class="grow"><b>{t.pin}</b></div><Switch on={mine.isPinned} label={t.pin} change={(isPinned) => void settings(row, { isPinned })} /></div>
            <div class="set"><div class="grow"><b>{t.archive}</b><span>{t.archiveHelp}</span></div><Switch on={mine.isArchived} label={t.archive} change={(isArchived) => void settings(row, { isArchived })} /></div>
          </div>
        )}
        {row && (
          <div class="section">
            {members === null ? <Skeleton rows={4} /> : row.kind === "DIRECT" ? <ul>{members.map((member) => <Person key={member.id} row={row} member={member} />)}</ul> : ROLES.map((role) => {
              const list = members.filter((member) => member.role === role);
              const canAdd = role === "MEMBER" && mine?.canAddParticipants;
              if (!list.length && !canAdd) return null;
              return (
                <div key={role} class="role-group">
                  <h3 class="section-title"><span class="grow">{t.roles(role, list.length)}</span>
                    {canAdd && <button type="button" class="link is-icon" onClick={() => (overlay.value = { kind: "add", conversationId })}><Icon name="person-plus" small />{t.add}</button>}</h3>
                  <ul>{list.map((member) => <Person key={member.id} row={row} member={member} />)}</ul>
                </div>
              );
            })}
            {more && <button type="button" class="button quiet" onClick={more}>{t.showMore}</button>}
          </div>
        )}
        {row?.kind === "GROUP" && mine && (mine.canLeave || mine.canDelete) && (
          <div class="section is-buttons">
            {mine.canLeave && <button type="button" class="button" onClick={() => (overlay.value = { kind: "leave", conversationId })}><Icon name="leave" flip />{t.leave}</button>}
            {mine.canDelete && <button type="button" class="button danger" onClick={() => (overlay.value = { kind: "deleteConversation", conversationId })}><Icon name="trash" />{t.deleteConversation}</button>}
          </div>
        )}
      </div>
    </Panel>
  );
}
