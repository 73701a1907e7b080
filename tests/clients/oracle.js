// What graphql-js, the reference implementation, makes of documents over the committed schema. Reads requests as lines
// of JSON and writes a line for each. tests/it/documents/differential compares these with what the server makes of them.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import {
  __Directive, __DirectiveLocation, __Schema, buildSchema, executeSync, getOperationAST, getVariableValues,
  GraphQLDeprecatedDirective, GraphQLError, isAbstractType, isEnumType, isLeafType, isListType, isNonNullType, Kind,
  parse, specifiedRules, validate,
} from "graphql";

// graphql-js 16 already contains the deprecation of directives from a later draft.
GraphQLDeprecatedDirective.locations = GraphQLDeprecatedDirective.locations.filter((one) => one !== "DIRECTIVE_DEFINITION");
__DirectiveLocation._values = __DirectiveLocation._values.filter(({ name }) => name !== "DIRECTIVE_DEFINITION");
delete __Directive.getFields().isDeprecated;
delete __Directive.getFields().deprecationReason;
__Schema.getFields().directives.args = [];

const schema = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));

/** The September 2025 edition forbids conditions on the root of a subscription; graphql-js does so since version 17. */
function noConditionsOnSubscriptionRoots(context) {
  const visit = (set, fragments) => {
    for (const selection of set.selections) {
      if (selection.directives.some(({ name }) => ["skip", "include"].includes(name.value))) {
        context.reportError(new GraphQLError("A condition on the root of a subscription.", { nodes: selection }));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) visit(selection.selectionSet, fragments);
      if (selection.kind === Kind.FRAGMENT_SPREAD && !fragments.has(selection.name.value)) {
        fragments.add(selection.name.value);
        const fragment = context.getFragment(selection.name.value);
        if (fragment) visit(fragment.selectionSet, fragments);
      }
    }
  };
  return {
    OperationDefinition(node) {
      if (node.operation === "subscription") visit(node.selectionSet, new Set());
    },
  };
}

const rules = [...specifiedRules, noConditionsOnSubscriptionRoots];

/** The type that both sides choose for an object of an interface, from its path. */
function concreteType(type, path) {
  const names = schema.getPossibleTypes(type).map(({ name }) => name).sort();
  const sum = [...path].reduce((sum, character) => sum + character.charCodeAt(0), 0);
  return names[sum % names.length];
}

/** One object of the right type for each field, one item for each list, and no null, which would end its parents. */
function value(type, path) {
  if (isNonNullType(type)) return value(type.ofType, path);
  if (isListType(type)) return [value(type.ofType, path)];
  if (isEnumType(type)) return type.getValues()[0].value;
  if (isLeafType(type)) return { Int: 1, Float: 1, Boolean: true }[type.name] ?? "text";
  return { __typename: isAbstractType(type) ? concreteType(type, path) : type.name };
}

function expectation({ query, operationName, variables }) {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return { invalid: `syntax: ${error.message}` };
  }
  let errors;
  try {
    errors = validate(schema, document, rules, { maxErrors: 1 });
  } catch (error) {
    // A rule evaluates conditions, and throws where another rule would report that they are invalid.
    errors = [error];
  }
  if (errors.length > 0) return { invalid: errors[0].message };
  const operation = getOperationAST(document, operationName);
  if (!operation) return { invalid: "no operation" };
  const { coerced, errors: refused } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (refused) return { refused: refused[0].message };
  const calls = [];
  const result = executeSync({
    schema,
    document,
    operationName,
    variableValues: variables,
    rootValue: {},
    // Called once for each execution of a field. Lists have one item, whose index is not part of the path.
    fieldResolver: (_source, _arguments, _context, info) => {
      let path = info.path;
      const keys = [];
      for (; path !== undefined; path = path.prev) if (typeof path.key === "string") keys.unshift(path.key);
      const at = keys.join(".");
      calls.push(at);
      return value(info.returnType, at);
    },
  });
  // A null argument is refused before its field is called. The server refuses it in the resolver.
  const failed = (result.errors ?? []).map(({ message }) => message).find((message) => message.startsWith("Argument"));
  const kinds = new Map();
  const schemaFields = {};
  for (const [key, resolved] of Object.entries(result.data ?? {})) {
    if (introspects(document, operation, key, kinds)) schemaFields[key] = resolved;
  }
  return { coerced, calls, failed, schemaFields };
}

/** Whether a response key of the root is that of `__schema` or `__type`. */
function introspects(document, operation, key, kinds) {
  if (kinds.size === 0) {
    const fragments = new Map();
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    }
    const seen = new Set();
    const visit = (set) => {
      for (const selection of set.selections) {
        if (selection.kind === Kind.FIELD) {
          kinds.set((selection.alias ?? selection.name).value, selection.name.value);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          visit(selection.selectionSet);
        } else if (!seen.has(selection.name.value)) {
          seen.add(selection.name.value);
          visit(fragments.get(selection.name.value).selectionSet);
        }
      }
    };
    visit(operation.selectionSet);
  }
  return ["__schema", "__type"].includes(kinds.get(key));
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(expectation(JSON.parse(line)))}\n`);
}
