// The frame of the console: sign-in, navigation and the page of the address.
import { useEffect } from "preact/hooks";

import { codeOf, heddle, signedIn } from "../api";
import { phone } from "../preferences";
import { loadServer } from "../store/session";
import { t } from "../text";
import { SignIn } from "../ui/Gate";
import { Failed, Icon, Skeleton, Toast } from "../ui/parts";
import { Accounts } from "./Accounts";
import { Audit } from "./Audit";
import { Invitations } from "./Invitations";
import { place } from "./place";
import { load, me, readsAudit, server, startError } from "./state";
import { c } from "./text";

export function Console() {
  const isIn = signedIn.value;
  useEffect(() => {
    if (isIn) void load();
    else { me.value = null; void loadServer().catch(() => {}); }
  }, [isIn]);
  const { page, userId } = place.value;
  // On a phone one region shows. The address of the console alone is its navigation.
  const isRoot = /^\/admin\/?$/.test(location.pathname);
  const view = userId ? "thread" : isRoot && phone.value ? "list" : "room";
  useEffect(() => { document.documentElement.dataset["view"] = view; }, [view]);
  if (!isIn) return <SignIn isAlone />;
  if (startError.value) return <Refused error={startError.value} />;
  const role = me.value?.role;
  if (!role) return <main class="app-failed"><Skeleton rows={6} /></main>;
  if (role === "MEMBER") return <Refused error={null} />;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>{t.skip}</a>
      <div class={userId ? "app has-panel console" : "app console"}>
        <Navigation isMain={phone.value && view === "list"} />
        {page === "invitations" ? <Invitations /> : page === "audit" && readsAudit() ? <Audit /> : <Accounts />}
      </div>
      <Toast />
    </>
  );
}

function Navigation({ isMain }: { isMain: boolean }) {
  const { page } = place.value;
  const row = (id: typeof page, icon: string, label: string) => (
    <a class="side-row" href={`/admin/${id}`} aria-current={page === id ? "page" : undefined}><Icon name={icon} /><span class="clip">{label}</span></a>
  );
  const Frame = isMain ? "main" : "nav";
  return (
    <Frame class="sidebar" aria-label={c.console}>
      {isMain && <h1 class="hidden-text">{c.console}</h1>}
      <div class="viewer"><a class="viewer-menu" href="/"><Icon name="back" flip /><span class="viewer-name">{c.console}</span><span class="hidden-text">{c.backToClient}</span></a></div>
      <div class="side-list">
        {row("accounts", "person", c.accounts)}
        {row("invitations", "at", c.invitations)}
        {readsAudit() && row("audit", "audit", c.audit)}
      </div>
      <div class="grow" />
      <p class="small muted side-empty">{server.value?.name}<br />Heddle {server.value?.version}</p>
    </Frame>
  );
}

/** The viewer may not use the console, or it could not be loaded. */
function Refused({ error }: { error: unknown }) {
  const needsFactor = codeOf(error) === "SECOND_FACTOR_REQUIRED";
  if (error && !needsFactor) return <div class="app-failed"><Failed error={error} retry={() => void load()} /></div>;
  return (
    <main class="app-failed"><div class="empty">
      <h1 class="title">{c.console}</h1>
      <p class="lead">{needsFactor ? c.needsFactor : c.noAccess}</p>
      <p><a class="button primary" href="/">{c.backToClient}</a> {!needsFactor && <button type="button" class="button" onClick={() => void heddle.signOut()}>{t.signOut}</button>}</p>
    </div></main>
  );
}
