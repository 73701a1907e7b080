// The frame: which region shows what, for every address.
import { useEffect } from "preact/hooks";

import { codeOf, signedIn } from "../api";
import { isDevelopment } from "../preferences";
import { navigate, route } from "../route";
import { conversationIds, threads, viewer } from "../store/data";
import { left } from "../store/events";
import { loaded, server, start, startFailed } from "../store/session";
import { firstName } from "../format";
import { t } from "../text";
import { Details } from "./Details";
import { Gate } from "./Gate";
import { ResetPasswordPage, VerifyEmailPage } from "./Recovery";
import { Inbox, ThreadsPanel } from "./Inbox";
import { openNew, openPalette } from "./overlays";
import { Overlays } from "./Overlays";
import { Failed, Icon, IconButton, say, Skeleton, Toast } from "./parts";
import { QuoteButton } from "./Quote";
import { ConnectionBar, Room } from "./Room";
import { RequiredSecondFactor } from "./SecondFactor";
import { Settings } from "./Settings";
import { openConversation, Sidebar } from "./Sidebar";
import { ReplyPanel, ThreadPanel } from "./Thread";

function Welcome() {
  const me = viewer.value;
  const isEmpty = !conversationIds.value.length;
  useEffect(() => { document.title = server.value?.name ?? "Heddle"; }, []);
  return (
    <main class="room" id="main" tabIndex={-1}>
      <ConnectionBar />
      <div class="empty">
        <h1 class="title">{isEmpty ? t.welcome(firstName(me?.displayName ?? "")) : t.pickConversation}</h1>
        <p class="lead">{isEmpty ? t.welcomeLead : t.pickLead}</p>
        <ol class="hints">
          <li class="hint-row dye-1"><span class="is-dyed"><Icon name="heddle" /></span><div><h2>{t.startConversation}</h2><p>{t.startLead}</p></div><button type="button" class={isEmpty ? "button primary" : "button"} onClick={openNew}>{t.start}</button></li>
          <li class="hint-row dye-2"><span class="is-dyed"><Icon name="search" /></span><div><h2>{t.jump}</h2><p>{t.jumpLead}</p></div><button type="button" class="button" onClick={openPalette}><kbd>Ctrl K</kbd></button></li>
          {isDevelopment ? (
            <li class="hint-row dye-4"><span class="is-dyed"><Icon name="tree" flip /></span><div><h2>{t.exploreApi}</h2><p>{t.exploreLead}</p></div><a class="button" href="/graphiql">GraphiQL</a></li>
          ) : null}
        </ol>
      </div>
    </main>
  );
}

/** The route of a thread whose conversation is not known yet. */
function Waiting() {
  return <main class="room" id="main" tabIndex={-1}><header class="bar"><IconButton class="back" icon="back" flip label={t.backToConversations} onClick={() => navigate("/")} /></header><Skeleton rows={6} lines /></main>;
}

export function App() {
  const now = route.value;
  const isIn = signedIn.value;
  // On a phone one region shows.
  const view = now.page === "home" || now.page === "setup" || now.page === "invite" ? "list"
    : now.page === "thread" || (now.page === "room" && now.panel) || (now.page === "inbox" && now.threads) ? "thread" : "room";
  useEffect(() => { document.documentElement.dataset["view"] = view; }, [view]);
  const gone = left.value;
  useEffect(() => {
    if (!gone || openConversation.peek() !== gone) return;
    left.value = null;
    navigate("/", true);
    say(t.removedFrom);
  }, [gone]);

  // Links to register have no use for a user.
  useEffect(() => { if (isIn && (now.page === "setup" || now.page === "invite")) navigate("/", true); }, [isIn, now.page]);

  if (now.page === "verify-email") return <VerifyEmailPage token={now.token} />;
  if (now.page === "reset-password") return <ResetPasswordPage token={now.token} />;
  if (!isIn) return <Gate />;
  if (codeOf(startFailed.value) === "SECOND_FACTOR_REQUIRED") return <RequiredSecondFactor />;
  if (startFailed.value && !loaded.value) return <div class="app-failed"><Failed error={startFailed.value} retry={() => void start()} /></div>;
  const conversationId = openConversation.value;
  const hasPanel = now.page === "thread" || now.page === "inbox" || (now.page === "room" && !!now.panel);
  let room = <Waiting />;
  let panel = null;
  if (loaded.value) {
    if (now.page === "home" || now.page === "setup" || now.page === "invite") room = <Welcome />;
    else if (now.page === "inbox") {
      room = <Inbox />;
      panel = <ThreadsPanel />;
    } else if (now.page === "settings") room = <Settings />;
    else {
      const openRoot = now.page === "thread" ? (threads.get(now.threadId)?.rootId ?? null) : (now.rootId ?? null);
      if (conversationId) {
        room = <Room key={conversationId} conversationId={conversationId} messageId={now.page === "room" ? now.messageId : undefined} openRoot={openRoot} hasDetails={now.page === "room" && now.panel === "details"} />;
      }
      if (now.page === "thread") panel = <ThreadPanel key={now.threadId} threadId={now.threadId} messageId={now.messageId} />;
      else if (now.panel === "reply" && now.rootId) panel = <ReplyPanel rootId={now.rootId} conversationId={now.conversationId} />;
      else if (now.panel === "details") panel = <Details conversationId={now.conversationId} />;
    }
  }
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>{t.skip}</a>
      <div class={hasPanel ? "app has-panel" : "app"}>
        <Sidebar />
        {room}
        {panel}
      </div>
      <QuoteButton />
      <Toast />
      <Overlays />
    </>
  );
}
