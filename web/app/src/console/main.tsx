import { render } from "preact";

import "../styles/tokens.css";
import "../styles/client.css";
import "../styles/app.css";
import "../styles/console.css";

import { followTheme } from "../preferences";
import { Console } from "./Console";
import { followPlaces } from "./place";

followTheme();
followPlaces();
render(<Console />, document.getElementById("app")!);
