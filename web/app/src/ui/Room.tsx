// A conversation: its name, the timeline and the composer.
import { useEffect, useState } from "preact/hooks";

import { navigate, toConversation, toDetails } from "../route";
import { isBlocked } from "../store/blocks";
import { conversations } from "../store/data";
import { updated, useUpdate } from "../shell";
import { outbox } from "../store/outbox";
import { flush } from "../store/read";
import { connection, lostAt, online, open, reconnect } from "../store/session";
import { storageFails } from "../store/storage";
import { timeline } from "../store/timeline";
import { t } from "../text";
import { BlockedNote } from "./Blocked";
import { Composer } from "./Composer";
import { Icon, IconButton, nameOf, otherPerson, Presence, useTick } from "./parts";
import { users } from "../store/data";
import { markAllRead } from "./marks";
import { Timeline } from "./Timeline";

/** Says that the connection is lost, once it is for three seconds. */
export function ConnectionBar() {
  useTick(1_000);
  const isLost = lostAt.value !== null && Date.now() - lostAt.value > 3_000;
  if (storageFails.value && outbox.value.length) {
    return <div class="connection" role="status"><Icon name="alert" /><span class="grow"><b class="strong">{t.notStored}</b> <span>{t.notStoredLead}</span></span></div>;
  }
  if (online.value && !isLost) {
    if (!updated.value) return null;
    return (
      <div class="connection is-update" role="status">
        <Icon name="retry" />
        <span class="grow"><b class="strong">{t.updated}</b> <span>{t.updatedLead}</span></span>
        <button type="button" class="button quiet" onClick={useUpdate}>{t.reload}</button>
      </div>
    );
  }
  return (
    <div class="connection" role="status">
      <Icon name="offline" />
      <span class="grow"><b class="strong">{online.value ? t.reconnecting : t.offline}</b> <span>{t.offlineLead}</span></span>
      {connection.value === "waiting" && online.value && <button type="button" class="button quiet" onClick={reconnect}>{t.retryNow}</button>}
    </div>
  );
}

export function Room({ conversationId, messageId, openRoot, hasDetails }: {
  conversationId: string; messageId: string | undefined; openRoot: string | null; hasDetails: boolean;
}) {
  const row = conversations.get(conversationId);
  const [isScrolled, setScrolled] = useState(false);
  const line = timeline(conversationId);
  const other = row && otherPerson(row);
  const person = other ? users.get(other) : undefined;
  const title = row ? (other ? nameOf(other) : row.displayTitle) : "";
  useEffect(() => {
    open.conversationId = conversationId;
    document.title = title ? `${title} · Heddle` : "Heddle";
    return () => { open.conversationId = null; void flush(); };
  }, [conversationId, title]);
  const exists = line.window.value !== null;
  return (
    <main class="room" id="main" tabIndex={-1}>
      <header class={isScrolled ? "bar is-scrolled" : "bar"}>
        <IconButton class="back" icon="back" flip label={t.backToConversations} onClick={() => navigate("/")} />
        <div class="bar-text">
          <h1 dir="auto">{exists ? (title || <span class="hidden-text">{t.loading}</span>) : t.notFound}</h1>
          {row && exists && (person
            ? <span class="topic muted small clip presence-line"><Presence of={person.presence} />{person.statusText || t.presence(person.presence)}</span>
            : row.topic && <span class="topic muted small clip" dir="auto">{row.topic}</span>)}
        </div>
        {row && exists && (
          <div class="bar-actions">
            {!person && <a class="button quiet" href={hasDetails ? toConversation(conversationId) : toDetails(conversationId)} aria-label={t.peopleCount(row.participantCount)}><Icon name="people" /><span class="num">{row.participantCount}</span></a>}
            <IconButton icon="info" label={t.details} class={hasDetails ? "on" : ""} expanded={hasDetails} onClick={() => navigate(hasDetails ? toConversation(conversationId) : toDetails(conversationId))} />
          </div>
        )}
      </header>
      <ConnectionBar />
      <Timeline conversationId={conversationId} target={messageId} openRoot={openRoot} onScrolled={setScrolled} />
      {row && exists && (
        <div class="column is-full">
          {other && isBlocked(other) ? <BlockedNote userId={other} /> : row.viewerMembership?.canSend === false ? <p class="note is-composer">{t.cannotSend}</p> : (
            <Composer
              key={conversationId} conversationId={conversationId} place={conversationId} parentId={null} rootId={null} scope="timeline"
              label={t.messageTo(title)} placeholder={t.messageTo(title)}
              escape={() => { if (row.viewerMembership?.unreadCount) markAllRead(conversationId); }}
            />
          )}
        </div>
      )}
    </main>
  );
}
