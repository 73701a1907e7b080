// Dialogs: new conversation, switcher, edit history, confirmations.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { problemsOf, request } from "../api";
import { difference } from "../difference";
import { full, when } from "../format";
import type { ResultOf } from "../graphql";
import {
  AddParticipants, CreateConversation, DeleteAccount, DeleteConversation, DeleteMessage, DeletionPreviewQuery,
  LeaveConversation, OpenDirectConversation, RevisionsQuery, UsersQuery,
} from "../operations";
import { navigate, toConversation } from "../route";
import { addConversation, conversations, dropConversation, messages, peopleVersion, putConversation, putMessage, putUser, sorted, viewer, type User } from "../store/data";
import { replyRemoved } from "../store/thread";
import { removed } from "../store/timeline";
import { signOut } from "../store/session";
import { t } from "../text";
import { actionsOf, Body, openReply } from "./Message";
import { Field } from "./forms";
import { closeOverlay, openNew, openShortcuts, overlay } from "./overlays";
import { answer } from "./Thread";
import { Badge, ConversationMark, Dialog, explain, Face, Failed, Icon, nameOf, otherPerson, say } from "./parts";

export function Overlays() {
  const now = overlay.value;
  if (!now) return null;
  switch (now.kind) {
    case "new": return <NewConversation />;
    case "palette": return <Palette />;
    case "shortcuts": return <Shortcuts />;
    case "history": return <History messageId={now.messageId} />;
    case "delete": return <ConfirmDelete messageId={now.messageId} />;
    case "actions": return <Actions messageId={now.messageId} place={now.place} />;
    case "add": return <AddPeople conversationId={now.conversationId} />;
    case "leave": return <Leave conversationId={now.conversationId} />;
    case "deleteConversation": return <ConfirmDeleteConversation conversationId={now.conversationId} />;
    case "deleteAccount": return <ConfirmDeleteAccount />;
  }
}

type Found = NonNullable<ResultOf<typeof UsersQuery>["users"]>["nodes"][number];

/** Searches people while the viewer types. */
function useUsers(text: string): Found[] | null {
  const [found, setFound] = useState<Found[] | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      request(UsersQuery, { text: text.trim() || null })
        .then(({ users }) => {
          users?.nodes.forEach((user) => putUser(user as User));
          if (isCurrent) setFound(users?.nodes ?? []);
        })
        .catch(() => isCurrent && setFound([]));
    }, text ? 150 : 0);
    return () => { isCurrent = false; clearTimeout(timer); };
  }, [text]);
  return found;
}

/** A field that collects people. */
function PeoplePicker({ chosen, change, exclude }: { chosen: string[]; change: (ids: string[]) => void; exclude: (id: string) => boolean }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useUsers(text);
  const options = (found ?? []).filter(({ id, isViewer }) => !isViewer && !chosen.includes(id) && !exclude(id)).slice(0, 8);
  const input = useRef<HTMLInputElement>(null);
  const add = (id: string) => {
    change([...chosen, id]);
    setText("");
    setAt(0);
    input.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") { event.preventDefault(); setAt(Math.min(at + 1, options.length - 1)); }
    if (event.key === "ArrowUp") { event.preventDefault(); setAt(Math.max(at - 1, 0)); }
    if (event.key === "Enter" && options[at]) { event.preventDefault(); add(options[at].id); }
    if (event.key === "Backspace" && !text && chosen.length) change(chosen.slice(0, -1));
  };
  return (
    <div class="picker">
      <div class="label"><label for="people">{t.people}</label></div>
      <div class="input is-chips">
        {chosen.map((id) => (
          <span key={id} class="tag"><bdi>{nameOf(id)}</bdi><button type="button" aria-label={t.remove(nameOf(id))} onClick={() => change(chosen.filter((other) => other !== id))}><Icon name="x" small /></button></span>
        ))}
        <input
          ref={input} id="people" value={text} autocomplete="off" placeholder={chosen.length ? "" : t.searchPeople} role="combobox" aria-expanded={options.length > 0} aria-controls="people-options"
          aria-activedescendant={options[at] ? `person-${at}` : undefined} onInput={(event) => { setText(event.currentTarget.value); setAt(0); }} onKeyDown={keys} autofocus
        />
      </div>
      <div class="picker-list" role="listbox" id="people-options" aria-label={t.people}>
        {options.map((user, index) => (
          <div key={user.id} class="option" role="option" id={`person-${index}`} aria-selected={index === at} onMouseEnter={() => setAt(index)} onClick={() => add(user.id)}>
            <Face id={user.id} size={24} presence />
            <span class="clip grow"><b><bdi>{user.displayName}</bdi></b> <span class="muted">@{user.username}</span></span>
          </div>
        ))}
        {found && !options.length && <p class="small muted is-centred">{text ? t.nobodyFound : t.nobodyElse}</p>}
      </div>
    </div>
  );
}

function NewConversation() {
  const [kind, setKind] = useState<"GROUP" | "DIRECT">("GROUP");
  const [people, setPeople] = useState<string[]>([]);
  const [title, setTitle] = useState("");
  const [problem, setProblem] = useState<{ title?: string | undefined; other?: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || (kind === "DIRECT" && !people.length)) return;
    setBusy(true);
    try {
      const made = kind === "DIRECT"
        ? (await request(OpenDirectConversation, { input: { userIds: people } })).openDirectConversation?.conversation
        : (await request(CreateConversation, { input: { participantIds: people, title: title.trim() || null } })).createConversation?.conversation;
      if (!made) return;
      addConversation(putConversation(made));
      closeOverlay();
      navigate(toConversation(made.id));
    } catch (error) {
      const field = problemsOf(error).find((one) => one.field === "title")?.message;
      setProblem(field ? { title: field } : { other: explain(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t.newConversation} close={closeOverlay}>
      <form class="dialog-body" onSubmit={submit}>
        <div class="segmented is-wide" role="group" aria-label={t.kind}>
          <button type="button" aria-pressed={kind === "GROUP"} onClick={() => setKind("GROUP")}><Icon name="people" small />{t.group}</button>
          <button type="button" aria-pressed={kind === "DIRECT"} onClick={() => setKind("DIRECT")}><Icon name="person" small />{t.direct}</button>
        </div>
        {kind === "GROUP" && <Field name="title" label={t.title} value={title} change={setTitle} optional help={t.titleHelp} problem={problem?.title} />}
        <PeoplePicker chosen={people} change={setPeople} exclude={() => false} />
        {problem?.other && <p class="problem" role="alert"><Icon name="alert" small />{problem.other}</p>}
        <div class="dialog-foot">
          <button type="button" class="button quiet large" onClick={closeOverlay}>{t.cancel}</button>
          <button type="submit" class="button primary large" disabled={busy || (kind === "DIRECT" && !people.length)}>{kind === "DIRECT" ? t.openDirect : t.create}</button>
        </div>
      </form>
    </Dialog>
  );
}

function AddPeople({ conversationId }: { conversationId: string }) {
  const [people, setPeople] = useState<string[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const row = conversations.get(conversationId);
  const add = async (event: Event) => {
    event.preventDefault();
    try {
      await request(AddParticipants, { input: { conversationId, userIds: people } });
      peopleVersion.value += 1;
      closeOverlay();
    } catch (error) {
      setProblem(explain(error));
    }
  };
  return (
    <Dialog title={t.addPeople} close={closeOverlay}>
      <form class="dialog-body" onSubmit={add}>
        <PeoplePicker chosen={people} change={setPeople} exclude={(id) => !!row && row.participantCount <= row.peopleIds.length && row.peopleIds.includes(id)} />
        {row?.historyVisibility === "FROM_START" && <p class="small muted">{t.seesHistory}</p>}
        {problem && <p class="problem" role="alert"><Icon name="alert" small />{problem}</p>}
        <div class="dialog-foot">
          <button type="button" class="button quiet large" onClick={closeOverlay}>{t.cancel}</button>
          <button type="submit" class="button primary large" disabled={!people.length}>{t.add}</button>
        </div>
      </form>
    </Dialog>
  );
}

const fold = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

interface Choice {
  key: string;
  run: () => void;
  row: preact.ComponentChildren;
}

/** The switcher: conversations first, then people, then screens. */
function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useUsers(text);
  const { pinned, others, archived } = sorted.value;
  const go = (path: string) => () => { closeOverlay(); navigate(path); };
  const groups = useMemo(() => {
    const part = fold(text.trim());
    const titleOf = (row: (typeof pinned)[number]) => { const other = otherPerson(row); return other ? nameOf(other) : row.displayTitle; };
    const all = [...pinned, ...others, ...archived];
    const unreadFirst = part ? all : [...all].sort((a, b) => Number(!!b.viewerMembership?.unreadCount) - Number(!!a.viewerMembership?.unreadCount));
    const rooms: Choice[] = unreadFirst.filter((row) => fold(titleOf(row)).includes(part)).slice(0, 8).map((row) => ({
      key: row.id,
      run: go(toConversation(row.id)),
      row: <><ConversationMark id={row.id} /><span class="clip grow"><bdi>{titleOf(row)}</bdi></span><Badge quiet={row.kind === "GROUP" && !row.viewerMembership?.mentionCount} count={row.viewerMembership?.unreadCount ?? 0} label={t.unreadCount(row.viewerMembership?.unreadCount ?? 0)} /></>,
    }));
    const people: Choice[] = part ? (found ?? []).filter(({ isViewer, viewerCanMessage }) => !isViewer && viewerCanMessage).slice(0, 6).map((user) => ({
      key: user.id,
      run: () => {
        if (user.viewerConversation) return go(toConversation(user.viewerConversation.id))();
        closeOverlay();
        void request(OpenDirectConversation, { input: { userIds: [user.id] } }).then(({ openDirectConversation: done }) => {
          if (!done?.conversation) return;
          addConversation(putConversation(done.conversation));
          navigate(toConversation(done.conversation.id));
        }, (error) => say(explain(error)));
      },
      row: <><Face id={user.id} size={24} presence /><span class="clip grow"><bdi>{user.displayName}</bdi> <span class="muted">@{user.username}</span></span></>,
    })) : [];
    const screens: Choice[] = [
      { icon: "inbox", label: t.inbox, run: go("/inbox") },
      { icon: "tree", label: t.threads, run: go("/inbox#threads") },
      { icon: "compose", label: t.newConversation, run: () => openNew() },
      { icon: "sliders", label: t.settings, run: go("/settings") },
      { icon: "keyboard", label: t.shortcuts, run: () => openShortcuts() },
    ].filter(({ label }) => fold(label).includes(part)).map(({ icon, label, run }) => ({ key: icon, run, row: <><Icon name={icon} /><span class="clip grow">{label}</span></> }));
    return [{ title: t.conversations, choices: rooms }, { title: t.people, choices: people }, { title: t.goTo, choices: screens }].filter(({ choices }) => choices.length);
  }, [text, found, pinned, others, archived]);
  const choices = groups.flatMap((group) => group.choices);
  const current = Math.min(at, choices.length - 1);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [current]);
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") { event.preventDefault(); setAt((current + 1) % choices.length); }
    if (event.key === "ArrowUp") { event.preventDefault(); setAt((current + choices.length - 1) % choices.length); }
    if (event.key === "Enter") { event.preventDefault(); choices[current]?.run(); }
  };
  let index = -1;
  return (
    <Dialog title={t.jump} close={closeOverlay} wide head={
      <div class="palette-input"><Icon name="search" />
        <input autofocus role="combobox" aria-expanded="true" aria-controls="palette" aria-activedescendant={choices.length ? `choice-${current}` : undefined} aria-label={t.jump} placeholder={t.jumpPlaceholder} value={text} onInput={(event) => { setText(event.currentTarget.value); setAt(0); }} onKeyDown={keys} />
        <button type="button" class="esc" onClick={closeOverlay} aria-label={`Esc: ${t.close}`}><kbd>Esc</kbd></button></div>
    }>
      <div class="palette" id="palette" role="listbox" aria-label={t.jump} ref={list}>
        {groups.map(({ title, choices: rows }) => (
          <div key={title} role="group" aria-label={title}>
            <div class="palette-title" aria-hidden="true">{title}</div>
            {rows.map((choice) => {
              index += 1;
              const here = index;
              return <div key={choice.key} id={`choice-${here}`} class="option" role="option" aria-selected={here === current} onMouseMove={() => setAt(here)} onClick={choice.run}>{choice.row}{here === current && <kbd>Enter</kbd>}</div>;
            })}
          </div>
        ))}
        {!choices.length && <p class="small muted is-centred">{t.nothingFound}</p>}
      </div>
    </Dialog>
  );
}

function Shortcuts() {
  return (
    <Dialog title={t.shortcuts} close={closeOverlay}>
      <div class="dialog-body"><dl class="facts is-keys">
        {t.keys.map(([keys, meaning]) => <div key={keys} class="is-row"><dt>{keys.split(" ").map((key) => <kbd key={key}>{key}</kbd>)}</dt><dd>{meaning}</dd></div>)}
      </dl></div>
    </Dialog>
  );
}

type Revisions = NonNullable<ResultOf<typeof RevisionsQuery>["message"]>;

function History({ messageId }: { messageId: string }) {
  const [loaded, setLoaded] = useState<Revisions | null | undefined>(undefined);
  const [failed, setFailed] = useState<unknown>(null);
  const version = messages.get(messageId)?.editedAt;
  const load = () => {
    setFailed(null);
    request(RevisionsQuery, { id: messageId, after: null }).then(({ message }) => setLoaded(message), setFailed);
  };
  useEffect(load, [messageId, version]);
  const revisions = loaded ? [...loaded.revisions.nodes].sort((a, b) => (a.replacedAt < b.replacedAt ? 1 : -1)) : [];
  const message = messages.get(messageId);
  return (
    <Dialog title={t.history} close={closeOverlay} wide>
      <div class="dialog-body">
        {failed !== null && <Failed error={failed} retry={load} />}
        {loaded === undefined && !failed && <p class="muted">{t.loading}</p>}
        {loaded && !revisions.length && <p class="muted">{t.historyErased}</p>}
        {loaded && message && revisions.length > 0 && (
          <ol>
            {[null, ...revisions].map((revision, at) => {
              const replaced = revisions[at];
              const body = revision ? revision.body : (loaded.body ?? "");
              const older = replaced?.body;
              return (
                <li key={revision?.id ?? "now"} class={revision ? "version" : "version is-now"}>
                  <div class="version-head">
                    <b>{revision ? (replaced ? t.version : t.original) : t.currentVersion}</b>
                    <span>{replaced ? <><bdi>{replaced.editor ? nameOf((putUser(replaced.editor as User))) : t.deletedUser}</bdi> · <time title={full(replaced.replacedAt)}>{when(replaced.replacedAt)}</time></> : <><bdi>{nameOf(message.senderId)}</bdi> · <time title={full(message.createdAt)}>{when(message.createdAt)}</time></>}</span>
                  </div>
                  {replaced?.reason && <p class="reason"><bdi>{replaced.reason}</bdi></p>}
                  <p class="text is-plain" dir="auto">
                    {older === undefined ? body : difference(older, body).map(({ kind, text }, index) => (kind === "same" ? text : kind === "added" ? <ins key={index}>{text}</ins> : <del key={index}>{text}</del>))}
                  </p>
                </li>
              );
            })}
          </ol>
        )}
      </div>
    </Dialog>
  );
}

/** Asks before something is lost. */
function Confirm({ title, text, action, run, children, ready = true }: {
  title: string; text: string; action: string; run: () => Promise<unknown>; children?: preact.ComponentChildren; ready?: boolean;
}) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const go = async (event: Event) => {
    event.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    try {
      await run();
    } catch (error) {
      setProblem(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} close={closeOverlay}>
      <form class="dialog-body" onSubmit={go}>
        <p class="is-lead">{text}</p>
        {children}
        {problem && <p class="problem" role="alert"><Icon name="alert" small />{problem}</p>}
        <div class="dialog-foot">
          <button type="button" class="button quiet large" onClick={closeOverlay}>{t.cancel}</button>
          <button type="submit" class="button danger large" disabled={busy || !ready} autofocus>{action}</button>
        </div>
      </form>
    </Dialog>
  );
}

function ConfirmDelete({ messageId }: { messageId: string }) {
  const message = messages.get(messageId);
  if (!message) return null;
  const run = async () => {
    const { deleteMessage: done } = await request(DeleteMessage, { input: { messageId } });
    if (done?.message) putMessage(done.message);
    else {
      messages.remove(messageId);
      removed(message.conversationId, messageId);
      replyRemoved(messageId);
    }
    closeOverlay();
  };
  return (
    <Confirm title={t.deleteMessage} text={t.deleteMessageText} action={t.delete} run={run}>
      <div class="note is-quote"><Body message={message} /></div>
    </Confirm>
  );
}

/** The actions of a message as a sheet, after a long press. */
function Actions({ messageId, place }: { messageId: string; place: "timeline" | "thread" }) {
  const message = messages.get(messageId);
  if (!message) return null;
  const reply = place === "timeline" ? () => openReply(message) : answer(message);
  return (
    <Dialog title={t.messageActions} close={closeOverlay}>
      <div class="dialog-body is-sheet" role="menu">
        {actionsOf(message, place, reply).map(({ icon, label, run, danger }) => (
          <button key={label} type="button" role="menuitem" class={danger ? "option is-danger" : "option"} onClick={() => { closeOverlay(); run(); }}><Icon name={icon} /><span class="grow">{label}</span></button>
        ))}
      </div>
    </Dialog>
  );
}

function Leave({ conversationId }: { conversationId: string }) {
  const title = conversations.get(conversationId)?.displayTitle ?? "";
  const run = async () => {
    await request(LeaveConversation, { input: { conversationId } });
    closeOverlay();
    navigate("/", true);
    dropConversation(conversationId);
  };
  return <Confirm title={t.leave} text={t.leaveText(title)} action={t.leave} run={run} />;
}

function ConfirmDeleteConversation({ conversationId }: { conversationId: string }) {
  const row = conversations.get(conversationId);
  const [typed, setTyped] = useState("");
  const title = row?.displayTitle ?? "";
  const run = async () => {
    await request(DeleteConversation, { input: { conversationId } });
    closeOverlay();
    navigate("/", true);
    dropConversation(conversationId);
  };
  return (
    <Confirm title={t.deleteConversation} text={t.deleteConversationText(title)} action={t.delete} run={run} ready={typed.trim() === title.trim()}>
      <Field name="confirm" label={t.typeToConfirm(title)} value={typed} change={setTyped} />
    </Confirm>
  );
}

function ConfirmDeleteAccount() {
  const [loaded, setLoaded] = useState<ResultOf<typeof DeletionPreviewQuery>["viewer"]>(null);
  const preview = loaded?.deletionPreview;
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [disposal, setDisposal] = useState<"DELETE" | "ANONYMIZE">("DELETE");
  useEffect(() => { void request(DeletionPreviewQuery).then(({ viewer }) => setLoaded(viewer), () => {}); }, []);
  const me = viewer.value;
  const run = async () => {
    await request(DeleteAccount, { input: { confirmUsername: username.trim(), password, code: loaded?.hasTotp ? code : null, messages: disposal } });
    closeOverlay();
    await signOut();
  };
  return (
    <Confirm title={t.deleteAccount} text={t.deleteAccountText} action={t.deleteAccount} run={run} ready={username.trim() === me?.username && !!password}>
      {preview && <ul class="note is-list">{t.deletionPreview(preview).map((line) => <li key={line}>{line}</li>)}</ul>}
      <div class="field"><div class="label">{t.groupMessages}</div>
        <div class="segmented is-wide" role="group" aria-label={t.groupMessages}>
          <button type="button" aria-pressed={disposal === "DELETE"} onClick={() => setDisposal("DELETE")}>{t.disposeDelete}</button>
          <button type="button" aria-pressed={disposal === "ANONYMIZE"} onClick={() => setDisposal("ANONYMIZE")}>{t.disposeAnonymize}</button>
        </div>
      </div>
      <Field name="confirmUsername" label={t.typeToConfirm(me?.username ?? "")} value={username} change={setUsername} />
      <Field name="deletePassword" label={t.password} type="password" value={password} change={setPassword} autocomplete="current-password" />
      {loaded?.hasTotp && <Field name="deleteCode" label={t.oneTimeCode} value={code} change={setCode} autocomplete="one-time-code" help={t.codeHelp} />}
    </Confirm>
  );
}
