// build.sh runs it after vite.
import { pack } from "../pack.js";

pack({ title: "What the bundled GraphiQL is made of", served: "/graphiql/licenses.txt" });
