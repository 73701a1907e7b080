import { render } from "preact";

import "./styles/tokens.css";
import "./styles/client.css";
import "./styles/app.css";

import { followKeys } from "./keys";
import { followTheme } from "./preferences";
import { followLinks } from "./route";
import { keepShell } from "./shell";
import { flush } from "./store/read";
import { follow } from "./store/session";
import { App } from "./ui/App";
import { followPanelWidth } from "./ui/Splitter";

followTheme();
followPanelWidth();
followLinks();
follow();
followKeys();
keepShell();
addEventListener("pagehide", () => void flush());
render(<App />, document.getElementById("app")!);
