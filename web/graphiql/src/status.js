// The line below the response: who is signed in in this window, and how to sign in.
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { createElement, useEffect, useRef, useState, useSyncExternalStore } from "react";

/**
 * @param {object} props
 * @param {import("./session.js").Session} props.session
 * @param {import("./streams.js").Streams} props.streams
 * @param {{ query: string, variables: string }} props.signIn the tab to sign in
 */
export function Status({ session, streams, signIn }) {
  const actions = useGraphiQLActions();
  const { tabs, activeTabIndex, queryEditor, variableEditor } = useGraphiQL(
    ({ tabs, activeTabIndex, queryEditor, variableEditor }) => ({
      tabs,
      activeTabIndex,
      queryEditor,
      variableEditor,
    }),
  );
  const auth = useSyncExternalStore(session.listen, () => session.auth);
  useState(() => streams.attach(actions));
  const ids = tabs.map((tab) => tab.id);
  const active = ids[activeTabIndex];
  useEffect(() => streams.show(ids, active, actions));

  const found = tabs.findIndex((tab) => /\bsignIn\s*\(/.test(tab.query ?? ""));
  const isNew = useRef(false);
  useEffect(() => {
    if (!isNew.current) return;
    isNew.current = false;
    queryEditor?.setValue(signIn.query);
    variableEditor?.setValue(signIn.variables);
  }, [active]);
  const open = () => {
    if (found >= 0) return actions.changeTab(found);
    isNew.current = true;
    actions.addTab();
  };

  const line = (...parts) => createElement("p", { className: "status", role: "status" }, ...parts);
  if (!auth) {
    return line(
      "No one is signed in in this window: each window forgets its user when it is closed. ",
      createElement("button", { type: "button", onClick: open }, "Open the tab to sign in"),
    );
  }
  const who = auth.username ? `Signed in as ${auth.username}` : "Signed in";
  if (auth.refreshToken) return line(`${who}, in this window alone.`);
  const until = new Date(auth.endsAt).toLocaleTimeString();
  return line(`${who} until ${until}. Select refreshToken when you sign in, and it is renewed.`);
}
