// Writes the types of the schema for the compiler, below node_modules. `npm run check` runs it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { buildSchema, introspectionFromSchema } from "graphql";
import { minifyIntrospection, outputIntrospectionFile } from "@gql.tada/internal";

const schema = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));
const introspection = minifyIntrospection(introspectionFromSchema(schema));
mkdirSync("node_modules/.schema", { recursive: true });
writeFileSync("node_modules/.schema/schema.d.ts", outputIntrospectionFile(introspection, { fileType: ".d.ts", shouldPreprocess: true }));
