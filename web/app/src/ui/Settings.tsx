// Preferences, profile, privacy, sessions, password and the account.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { ago, when } from "../format";
import type { ResultOf } from "../graphql";
import { ChangeEmail, ChangePassword, ResendEmailVerification, RevokeOtherSessions, RevokeSessions, SettingsQuery, UpdatePreferences, UpdateProfile } from "../operations";
import { singleKeys, theme, type Theme } from "../preferences";
import { navigate } from "../route";
import { putUser, type User } from "../store/data";
import { lang, LANGUAGES, setLanguage, t } from "../text";
import { BlockedPeople } from "./Blocked";
import { Field, sendsMail, Summary, useForm } from "./forms";
import { overlay } from "./overlays";
import { explain, Failed, Icon, IconButton, say, Skeleton, Switch } from "./parts";
import { ConnectionBar } from "./Room";
import { SecondFactor } from "./SecondFactor";

type Loaded = NonNullable<ResultOf<typeof SettingsQuery>["viewer"]>;
const sections = ["preferences", "profile", "privacy", "security", "account"] as const;
const icons = { preferences: "sliders", profile: "person", privacy: "eye", security: "shield", account: "key" };

const Swatch = () => <><i /><b><s /><s /><s /></b></>;

function Appearance() {
  const choices: [Theme, string][] = [["system", t.system], ["light", t.light], ["dark", t.dark]];
  return (
    <div class="choices" role="group" aria-label={t.appearance}>
      {choices.map(([id, label]) => (
        <button key={id} type="button" class="choice" aria-pressed={theme.value === id} onClick={() => (theme.value = id)}>
          {id === "system" ? (
            <span class="swatch is-split" aria-hidden="true"><span class="swatch as-light"><Swatch /></span><span class="swatch as-dark"><Swatch /></span></span>
          ) : <span class={`swatch as-${id}`} aria-hidden="true"><Swatch /></span>}
          <span>{label}</span>
        </button>
      ))}
    </div>
  );
}

function Profile({ user }: { user: Loaded["user"] }) {
  const [displayName, setName] = useState(user.displayName);
  const [bio, setBio] = useState(user.bio ?? "");
  const { busy, failure, run, problem } = useForm();
  const isChanged = displayName !== user.displayName || bio !== (user.bio ?? "");
  const submit = async (event: Event) => {
    event.preventDefault();
    const ok = await run(async () => {
      const { updateProfile: done } = await request(UpdateProfile, { input: { displayName, bio: bio.trim() || null } });
      if (done?.viewer) putUser(done.viewer.user as User);
    });
    if (ok) say(t.saved);
  };
  return (
    <form onSubmit={submit}>
      {failure && <Summary {...failure} />}
      <Field name="displayName" label={t.name} value={displayName} change={setName} help={t.nameHelp} problem={problem("displayName")} />
      <Field name="bio" label={t.bio} value={bio} change={setBio} optional problem={problem("bio")} />
      <div class="form-foot"><button type="submit" class="button primary" disabled={busy || !isChanged}>{t.save}</button></div>
    </form>
  );
}

function Password({ hasPassword }: { hasPassword: boolean }) {
  const [currentPassword, setCurrent] = useState("");
  const [newPassword, setNew] = useState("");
  const { busy, failure, run, problem } = useForm();
  const submit = async (event: Event) => {
    event.preventDefault();
    const input = { newPassword, ...(hasPassword ? { currentPassword } : {}) };
    if (!(await run(() => request(ChangePassword, { input })))) return;
    setCurrent("");
    setNew("");
    say(t.passwordChanged);
  };
  return (
    <form onSubmit={submit}>
      {failure && <Summary {...failure} />}
      {hasPassword && <Field name="currentPassword" label={t.currentPassword} type="password" value={currentPassword} change={setCurrent} autocomplete="current-password" problem={problem("currentPassword")} />}
      <Field name="newPassword" label={t.newPassword} type="password" value={newPassword} change={setNew} autocomplete="new-password" help={t.passwordHelp} problem={problem("newPassword")} />
      <div class="form-foot"><button type="submit" class="button primary" disabled={busy || !newPassword}>{t.changePassword}</button></div>
    </form>
  );
}

function EmailAddress({ viewer, change }: { viewer: Loaded; change: (viewer: Partial<Loaded>) => void }) {
  const [newEmail, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { busy, failure, run, problem } = useForm();
  const submit = async (event: Event) => {
    event.preventDefault();
    const input = { newEmail, ...(viewer.hasPassword ? { password } : {}) };
    const ok = await run(async () => {
      const { changeEmail: done } = await request(ChangeEmail, { input });
      if (done?.viewer) change(done.viewer);
    });
    if (!ok) return;
    setEmail("");
    setPassword("");
  };
  return (
    <form onSubmit={submit} noValidate>
      {failure && <Summary {...failure} />}
      {viewer.pendingEmail && <div class="note is-above" role="status">{t.emailWaits(viewer.pendingEmail)}</div>}
      <Field name="newEmail" label={t.newEmail} type="email" value={newEmail} change={setEmail} autocomplete="email" help={t.newEmailHelp} problem={problem("newEmail")} />
      {viewer.hasPassword && <Field name="password" label={t.currentPassword} type="password" value={password} change={setPassword} autocomplete="current-password" problem={problem("password")} />}
      <div class="form-foot"><button type="submit" class="button primary" disabled={busy || !newEmail.trim()}>{t.changeEmail}</button></div>
    </form>
  );
}

/** Offers to send the link that verifies the address again. */
function Unverified() {
  const [sent, setSent] = useState(false);
  const send = () => request(ResendEmailVerification, { input: {} }).then(() => setSent(true), (error) => say(explain(error)));
  return (
    <div class="set"><div class="grow"><b>{t.notVerified}</b><span>{sent ? t.verificationSent : t.notVerifiedHelp}</span></div>
      {!sent && <button type="button" class="button" onClick={() => void send()}>{t.sendLink}</button>}</div>
  );
}

export function Settings() {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const load = () => {
    setFailed(null);
    request(SettingsQuery).then(({ viewer }) => { if (viewer) setLoaded(viewer); }, setFailed);
  };
  useEffect(() => { document.title = `${t.settings} · Heddle`; load(); }, []);
  const complain = (error: unknown) => say(explain(error));
  const prefer = (change: Partial<Loaded["preferences"]>) => {
    if (!loaded) return;
    setLoaded({ ...loaded, preferences: { ...loaded.preferences, ...change } });
    request(UpdatePreferences, { input: change }).then(({ updatePreferences: done }) => {
      if (done?.viewer) setLoaded((now) => now && { ...now, preferences: done.viewer!.preferences });
    }, (error) => { complain(error); load(); });
  };
  const revoke = (ids: string[]) => request(RevokeSessions, { input: { sessionIds: ids } }).then(load, complain);
  const preferences = loaded?.preferences;
  return (
    <main class="room" id="main" tabIndex={-1}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={t.backToConversations} onClick={() => navigate("/")} />
        <div class="bar-text"><h1>{t.settings}</h1></div>
      </header>
      <ConnectionBar />
      <div class="scroll">
        <div class="settings">
          <nav aria-label={t.settings}>
            {sections.map((id) => (
              <button key={id} type="button" class="side-row" onClick={() => document.getElementById(`settings-${id}`)?.scrollIntoView({ block: "start" })}><Icon name={icons[id]} /><span class="clip">{t.sections[id]}</span></button>
            ))}
          </nav>
          <div>
            <section id="settings-preferences">
              <h2>{t.sections.preferences}</h2>
              <Appearance />
              <div class="set"><div class="grow"><b>{t.language}</b><span>{t.languageHelp}</span></div>
                <span class="select"><select class="button" aria-label={t.language} value={lang} onChange={(event) => setLanguage(event.currentTarget.value)}>{Object.entries(LANGUAGES).map(([id, name]) => <option key={id} value={id}>{name}</option>)}</select><Icon name="down" small /></span></div>
              <div class="set"><div class="grow"><b>{t.singleKeys}</b><span>{t.singleKeysHelp}</span></div><Switch on={singleKeys.value} label={t.singleKeys} change={(on) => (singleKeys.value = on)} /></div>
              {preferences && (
                <div class="set"><div class="grow"><b>{t.notifyMe}</b><span>{t.notifyHelp}</span></div>
                  <div class="segmented" role="group" aria-label={t.notifyMe}>{(["ALL", "MENTIONS", "NONE"] as const).map((level) => <button key={level} type="button" aria-pressed={preferences.notificationLevel === level} onClick={() => prefer({ notificationLevel: level })}>{t.level_(level)}</button>)}</div></div>
              )}
            </section>
            {failed && !loaded ? <Failed error={failed} retry={load} /> : !loaded || !preferences ? <Skeleton rows={6} lines /> : (
              <>
                <section id="settings-profile"><h2>{t.sections.profile}</h2><p class="small muted is-lead">{[`@${loaded.user.username}`, loaded.email].filter(Boolean).join(" · ")}</p>{!loaded.isEmailVerified && sendsMail() && <Unverified />}<Profile user={loaded.user} /></section>
                <section id="settings-privacy">
                  <h2>{t.sections.privacy}</h2>
                  <div class="set"><div class="grow"><b>{t.sharesPresence}</b><span>{t.sharesPresenceHelp}</span></div><Switch on={preferences.sharesPresence} label={t.sharesPresence} change={(sharesPresence) => prefer({ sharesPresence })} /></div>
                  <div class="set"><div class="grow"><b>{t.sharesReading}</b><span>{t.sharesReadingHelp}</span></div><Switch on={preferences.sharesReadReceipts} label={t.sharesReading} change={(sharesReadReceipts) => prefer({ sharesReadReceipts })} /></div>
                  <div class="set"><div class="grow"><b>{t.searchable}</b><span>{t.searchableHelp}</span></div><Switch on={preferences.isSearchable} label={t.searchable} change={(isSearchable) => prefer({ isSearchable })} /></div>
                  <div class="set"><div class="grow"><b>{t.profileVisibility}</b><span>{t.profileVisibilityHelp}</span></div>
                    <div class="segmented" role="group" aria-label={t.profileVisibility}>{(["EVERYONE", "CONTACTS", "NOBODY"] as const).map((who) => <button key={who} type="button" aria-pressed={preferences.profileVisibility === who} onClick={() => prefer({ profileVisibility: who })}>{t.visibility(who)}</button>)}</div></div>
                  <h2 class="is-second">{t.blockedPeople}</h2><p class="small muted is-lead">{t.blockedPeopleHelp}</p>
                  <BlockedPeople />
                </section>
                <section id="settings-security">
                  <h2>{t.sessions}</h2><p class="small muted is-lead">{t.sessionsLead}</p>
                  {loaded.sessions.nodes.map((session) => (
                    <div key={session.id} class="set"><Icon name={/android|iphone|mobile/i.test(session.label) ? "phone" : "monitor"} />
                      <div class="grow"><b>{session.label}</b><span>{[session.ipAddress, session.isCurrent ? t.since(when(session.createdAt)) : t.lastUsed(ago(session.lastUsedAt))].filter(Boolean).join(" · ")}</span></div>
                      {session.isCurrent ? <span class="tag good">{t.thisDevice}</span> : <button type="button" class="button" onClick={() => void revoke([session.id])}>{t.signOut}</button>}</div>
                  ))}
                  {loaded.sessions.nodes.length > 1 && <div class="form-foot is-start"><button type="button" class="button danger" onClick={() => void request(RevokeOtherSessions).then(load, complain)}>{t.signOutOthers}</button></div>}
                  <h2 class="is-second">{t.secondFactor}</h2>
                  <SecondFactor viewer={loaded} reload={load} />
                  <h2 class="is-second">{t.password}</h2>
                  <Password hasPassword={loaded.hasPassword} />
                  {sendsMail() && <><h2 class="is-second">{t.email}</h2><EmailAddress viewer={loaded} change={(viewer) => setLoaded((now) => now && { ...now, ...viewer })} /></>}
                </section>
                <section id="settings-account"><h2>{t.deleteAccount}</h2><p class="small muted is-lead">{t.deleteAccountLead}</p>
                  <button type="button" class="button danger" onClick={() => (overlay.value = { kind: "deleteAccount" })}>{t.deleteAccount}</button></section>
              </>
            )}
          </div>
        </div>
      </div>
    </main>
  );
}
