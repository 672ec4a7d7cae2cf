import { isPure, placeOf, refuseImport, refusePackage, resolvePath } from "./house_rules.ts";

/**
 * Our own lint rules: `portzero/imports` keeps the rooms apart, `portzero/pure` keeps clock,
 * chance, timers and promises out of pure folders.
 */

type Node = Deno.lint.Node;

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** Globals with a clock, chance, timers or the world behind them, and what to use instead. */
const IMPURE_GLOBALS: Readonly<Record<string, string>> = {
  Deno: "a port handed in",
  performance: "core/clock.ts",
  crypto: "core/entropy.ts",
  setTimeout: "core/clock.ts",
  clearTimeout: "core/clock.ts",
  setInterval: "core/clock.ts",
  clearInterval: "core/clock.ts",
  setImmediate: "core/clock.ts",
  queueMicrotask: "`defer` of core/clock.ts",
  Promise: "events",
  fetch: "a port handed in",
  WebSocket: "a port handed in",
  Worker: "a port handed in",
  BroadcastChannel: "a port handed in",
  MessageChannel: "a port handed in",
  process: "a port handed in",
  localStorage: "a port handed in",
  alert: "a port handed in",
  prompt: "a port handed in",
};
/** Of `Date`, what depends on its arguments alone. */
const PURE_DATE = new Set(["UTC", "parse"]);

/** Path of the linted file in the repository. */
function pathOf(filename: string): string {
  const plain = filename.replace(/^file:\/\//, "").replaceAll("\\", "/");
  return plain.startsWith(ROOT) ? plain.slice(ROOT.length) : plain;
}

/** The import that `specifier` is part of. */
interface Import {
  readonly node: Node;
  readonly specifier: string;
  readonly typesOnly: boolean;
  readonly names: readonly string[];
}

function visitImports(found: (found: Import) => void): Deno.lint.LintVisitor {
  const literal = (node: Node | null | undefined) =>
    node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
  return {
    ImportDeclaration(node) {
      const specifiers = node.specifiers;
      found({
        node,
        specifier: node.source.value,
        typesOnly: node.importKind === "type" || specifiers.length > 0 &&
            specifiers.every((one) => one.type === "ImportSpecifier" && one.importKind === "type"),
        names: specifiers.every((one) => one.type === "ImportSpecifier")
          ? specifiers.map((one) =>
            one.imported.type === "Identifier" ? one.imported.name : one.imported.value
          )
          : [],
      });
    },
    ExportNamedDeclaration(node) {
      const specifier = literal(node.source);
      if (specifier === undefined) return;
      found({ node, specifier, typesOnly: node.exportKind === "type", names: [] });
    },
    ExportAllDeclaration(node) {
      found({
        node,
        specifier: node.source.value,
        typesOnly: node.exportKind === "type",
        names: [],
      });
    },
    ImportExpression(node) {
      const specifier = literal(node.source);
      if (specifier !== undefined) found({ node, specifier, typesOnly: false, names: [] });
    },
    TSImportType(node) {
      const argument = node.argument;
      const specifier = literal(argument.type === "TSLiteralType" ? argument.literal : argument);
      if (specifier !== undefined) found({ node, specifier, typesOnly: true, names: [] });
    },
  };
}

const imports: Deno.lint.Rule = {
  create(context) {
    const from = pathOf(context.filename);
    const pure = isPure(from);
    return visitImports(({ node, specifier, typesOnly, names }) => {
      if (specifier.startsWith(".")) {
        const to = resolvePath(from, specifier);
        const reason = to === undefined
          ? "the file lies outside the repository"
          : refuseImport(from, to, typesOnly);
        if (reason) context.report({ node, message: `import of ${specifier}: ${reason}` });
        return;
      }
      if (/^(?:jsr|https?):/.test(specifier)) {
        context.report({ node, message: `${specifier}: only npm packages of deno.json are used` });
        return;
      }
      if (!pure || typesOnly && specifier.startsWith("node:")) return;
      const reason = refusePackage(specifier.replace(/^npm:/, ""), names);
      if (reason) context.report({ node, message: `import of ${specifier}: ${reason}` });
    });
  },
};

/** Where a child of a node is a name and not a variable. */
const NAMING: Readonly<Record<string, string>> = {
  MemberExpression: "property",
  Property: "key",
  MethodDefinition: "key",
  PropertyDefinition: "key",
  TSAbstractMethodDefinition: "key",
  TSAbstractPropertyDefinition: "key",
  TSPropertySignature: "key",
  TSMethodSignature: "key",
  TSQualifiedName: "right",
  TSEnumMember: "id",
  ImportSpecifier: "imported",
  ExportSpecifier: "exported",
  LabeledStatement: "label",
};

/** True where the identifier names a property or a key, not a variable. */
function isName(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as unknown as Record<string, unknown>;
  const key = NAMING[node.parent.type];
  if (key === undefined || parent.computed === true || parent.shorthand === true) return false;
  const child = parent[key] as { range: Deno.lint.Range } | undefined;
  return child?.range[0] === node.range[0] && child.range[1] === node.range[1];
}

/** Names that the file itself declares; a rule on globals must leave them alone. */
function declaredNames(program: Deno.lint.Program): Set<string> {
  const names = new Set<string>();
  const seen = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(seen);
    if (typeof node !== "object" || node === null || !("type" in node)) return;
    const { type } = node as { type: string };
    for (const key of DECLARING[type] ?? []) {
      bind((node as Record<string, unknown>)[key], names);
    }
    for (const key in node) {
      if (key !== "parent" && key !== "range") seen((node as Record<string, unknown>)[key]);
    }
  };
  seen(program.body);
  return names;
}

const DECLARING: Readonly<Record<string, readonly string[]>> = {
  VariableDeclarator: ["id"],
  FunctionDeclaration: ["id", "params"],
  FunctionExpression: ["id", "params"],
  ArrowFunctionExpression: ["params"],
  ClassDeclaration: ["id"],
  ImportSpecifier: ["local"],
  ImportDefaultSpecifier: ["local"],
  ImportNamespaceSpecifier: ["local"],
  TSTypeAliasDeclaration: ["id"],
  TSInterfaceDeclaration: ["id"],
  CatchClause: ["param"],
};

/** Collects the names that a binding pattern declares. */
function bind(pattern: unknown, names: Set<string>): void {
  if (Array.isArray(pattern)) return pattern.forEach((part) => bind(part, names));
  if (typeof pattern !== "object" || pattern === null || !("type" in pattern)) return;
  const node = pattern as Record<string, unknown>;
  if (node.type === "Identifier") names.add(String(node.name));
  else if (node.type === "Property") bind(node.value, names);
  else if (node.type === "AssignmentPattern") bind(node.left, names);
  else if (node.type === "RestElement") bind(node.argument, names);
  else if (node.type === "ObjectPattern") bind(node.properties, names);
  else if (node.type === "ArrayPattern") bind(node.elements, names);
  else if (node.type === "TSParameterProperty") bind(node.parameter, names);
}

const pure: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context.filename);
    if (!isPure(path)) return {};
    const room = placeOf(path).room;
    const report = (node: Node, what: string, instead: string) =>
      context.report({
        node,
        message: `${what} in the pure folder ${room}`,
        hint: `Use ${instead}`,
      });
    let declared: Set<string> | undefined;
    const isGlobal = (node: Deno.lint.Identifier) => {
      if (isName(node)) return false;
      declared ??= declaredNames(context.sourceCode.ast);
      return !declared.has(node.name);
    };
    const asynchronous = (node: Node & { async: boolean }) => {
      if (node.async) report(node, "async function", "events and effects");
    };
    return {
      Identifier(node) {
        const instead = Object.hasOwn(IMPURE_GLOBALS, node.name)
          ? IMPURE_GLOBALS[node.name]
          : undefined;
        if (instead !== undefined) {
          if (isGlobal(node)) report(node, node.name, instead);
          return;
        }
        if (node.name === "Date") visitDate(node, isGlobal, report);
        else if (node.name === "Math") visitMath(node, isGlobal, report);
        else if (node.name === "globalThis" || node.name === "self" || node.name === "window") {
          if (isGlobal(node)) report(node, node.name, "what is handed in");
        }
      },
      AwaitExpression: (node) => report(node, "await", "events and effects"),
      FunctionDeclaration: asynchronous,
      FunctionExpression: asynchronous,
      ArrowFunctionExpression: asynchronous,
      ImportExpression: (node) => report(node, "import()", "a static import"),
      ForOfStatement(node) {
        if (node.await) report(node, "for await", "events and effects");
      },
    };
  },
};

type Check = (node: Deno.lint.Identifier) => boolean;
type Report = (node: Node, what: string, instead: string) => void;

/** A date made from a number is arithmetic; the present one is a clock. */
function visitDate(node: Deno.lint.Identifier, isGlobal: Check, report: Report): void {
  if (!isGlobal(node)) return;
  const parent = node.parent;
  if (parent.type === "TSTypeReference") return;
  if (parent.type === "NewExpression" && parent.arguments.length > 0) return;
  if (
    parent.type === "MemberExpression" && parent.property.type === "Identifier" &&
    PURE_DATE.has(parent.property.name)
  ) return;
  report(node, "Date without a time given", "`epoch` of core/clock.ts");
}

function visitMath(node: Deno.lint.Identifier, isGlobal: Check, report: Report): void {
  if (!isGlobal(node)) return;
  const parent = node.parent;
  const property = parent.type === "MemberExpression" && !parent.computed &&
      parent.property.type === "Identifier"
    ? parent.property.name
    : undefined;
  if (property === undefined || property === "random") {
    report(node, property === undefined ? "Math as a value" : "Math.random", "core/entropy.ts");
  }
}

export default { name: "portzero", rules: { imports, pure } } satisfies Deno.lint.Plugin;
