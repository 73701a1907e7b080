import "./workers.js";
// The parts of "graphiql/style.css" one by one: the whole brings its own fonts (a third of the bundle)
// and the editor's style sheet a second time.
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./main.css";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

import { makeFetcher } from "./fetcher.js";
import { Session } from "./session.js";
import { Status } from "./status.js";
import { Streams } from "./streams.js";

const { endpoint, tabs } = JSON.parse(document.getElementById("config").textContent);
const http = new URL(endpoint, location.href);
const [session, streams] = [new Session(http), new Streams()];
// GraphiQL gives a first tab its query but not its variables. Later visits have tabs of their own.
const isFirstVisit = localStorage.getItem("graphiql:tabState") === null;

const footer = createElement(
  GraphiQL.Footer,
  null,
  createElement(Status, { session, streams, signIn: tabs[0] }),
);
const options = {
  fetcher: makeFetcher(http, session, streams),
  plugins: [HISTORY_PLUGIN, explorerPlugin()],
  defaultTabs: tabs,
  initialVariables: isFirstVisit ? tabs[0].variables : undefined,
  defaultEditorToolsVisibility: true,
  inputValueDeprecation: true,
  schemaDescription: true,
  // Headers hold tokens: they stay out of the browser's storage.
  shouldPersistHeaders: false,
};
createRoot(document.getElementById("graphiql")).render(createElement(GraphiQL, options, footer));
